{#- The digits of a code of КАТОТТГ: a third of its size where codes stand in arrays. -#}
{% macro body_no(code) -%}
    substr({{ code }}, 3)::bigint
{%- endmacro %}

{#-
    Of one cell, whose bodies and values are arrays of `cells`: for each group of `memberships` the values of its bodies in rising
    order, missing ones last, how many there are, and whose they are.
-#}
{% macro values_by_group() -%}
    (
        select
            memberships.peer_group_code,
            count(entry.obs_value) as n,
            array_agg(entry.body_no order by entry.obs_value, entry.body_no) as body_nos,
            array_agg(entry.obs_value order by entry.obs_value, entry.body_no) as obs_values
        from unnest(cells.body_nos, cells.obs_values) as entry (body_no, obs_value)
        inner join memberships
            on
                entry.body_no = memberships.body_no
                and left(cells.time_period, 4) between memberships.first_year and memberships.last_year
        group by memberships.peer_group_code
    )
{%- endmacro %}

{#- Of one cell that bodies changed: for each group that one of them is or was in, who changed, and who is in it with which value. -#}
{% macro changes_by_group() -%}
    {%- set is_in = 'entry.is_there and left(cells.time_period, 4) between memberships.first_year and memberships.last_year' -%}
    (
        select
            memberships.peer_group_code,
            array_agg(entry.body_no) as changed_nos,
            array_agg(entry.body_no) filter (where {{ is_in }}) as new_nos,
            array_agg(entry.obs_value) filter (where {{ is_in }}) as new_values
        from unnest(cells.body_nos, cells.are_there, cells.obs_values) as entry (body_no, is_there, obs_value)
        inner join memberships on entry.body_no = memberships.body_no
        group by memberships.peer_group_code
    )
{%- endmacro %}

{#-
    Before a build of changes of mart_peer_value: the arrays of a cell without who changed, and with what is new of them, as
    values_by_group() makes them. What is cut out and put in is found by place; to put a group of the country in order again for
    one body of it would cost more than all else.
-#}
{% macro make_mended_values() -%}
    {%- if execute and is_incremental() %}
    create or replace function pg_temp.mended_values(
        held_nos bigint [], held_values double precision [],
        changed_nos bigint [], new_nos bigint [], new_values double precision [],
        out n bigint, out body_nos bigint [], out obs_values double precision []
    )
    language plpgsql as $$
    declare
        place integer;
        first_equal integer;
        body_no bigint;
    begin
        body_nos := coalesce(held_nos, '{}');
        obs_values := coalesce(held_values, '{}');
        foreach body_no in array changed_nos loop
            place := array_position(body_nos, body_no);
            if place is not null then
                body_nos := body_nos[:place - 1] || body_nos[place + 1:];
                obs_values := obs_values[:place - 1] || obs_values[place + 1:];
            end if;
        end loop;
        n := coalesce(array_position(obs_values, null) - 1, cardinality(obs_values));
        for entry in 1 .. coalesce(cardinality(new_nos), 0) loop
            if new_values[entry] is null then
                place := n + width_bucket(new_nos[entry], body_nos[n + 1:]);
            else
                place := width_bucket(new_values[entry], obs_values[:n]);
                first_equal := coalesce(array_position(obs_values, new_values[entry]), place + 1);
                place := first_equal - 1 + width_bucket(new_nos[entry], body_nos[first_equal:place]);
                n := n + 1;
            end if;
            body_nos := body_nos[:place] || new_nos[entry] || body_nos[place + 1:];
            obs_values := obs_values[:place] || new_values[entry] || obs_values[place + 1:];
        end loop;
    end
    $$
    {%- endif -%}
{%- endmacro %}

{#- The quantile of the first `n` of `values`, which rise; as percentile_cont says it, to the last bit. NULL where n is 0. -#}
{% macro quantile_of_sorted(values, n, share) -%}
    {%- set place = share ~ '::double precision * (' ~ n ~ ' - 1)' -%}
    {%- set lower = values ~ '[floor(' ~ place ~ ')::integer + 1]' -%}
    {%- set upper = values ~ '[ceil(' ~ place ~ ')::integer + 1]' -%}
    case
        when {{ n }} = 0 then null
        when floor({{ place }}) = ceil({{ place }}) then {{ lower }}
        else {{ lower }} + ({{ place }} - floor({{ place }})) * ({{ upper }} - {{ lower }})
    end
{%- endmacro %}

{#-
    The different ones of `values` in blocks of a hundred (`profile_place_values`): the least, which is −∞ in the first, all of
    them, and how many of `values` are lower than each; last, how many are not higher than the highest.
-#}
{% macro blocks_of_values(values) -%}
    (
        select
            case when block_no = 0 then '-Infinity' else min(obs_value) end as from_value,
            array_agg(obs_value order by obs_value) as obs_values,
            min(not_more_count - equal_count)::integer
            || array_agg(not_more_count::integer order by obs_value) as lower_counts
        from (
            select
                obs_value,
                equal_count,
                sum(equal_count) over (order by obs_value) as not_more_count,
                (row_number() over (order by obs_value) - 1) / {{ var("profile_place_values") }} as block_no
            from (
                select
                    obs_value,
                    count(*) as equal_count
                from unnest({{ values }}) as entry (obs_value)
                where obs_value is not null
                group by obs_value
            ) as counted
        ) as placed
        group by block_no
    )
{%- endmacro %}
