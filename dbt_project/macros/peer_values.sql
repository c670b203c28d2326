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

{#- The arrays of `held` without who changed, and with what `changes` has of them; as values_by_group() makes them. -#}
{% macro mended_values() -%}
    (
        select
            count(entry.obs_value) as n,
            array_agg(entry.body_no order by entry.obs_value, entry.body_no) as body_nos,
            array_agg(entry.obs_value order by entry.obs_value, entry.body_no) as obs_values
        from (
            select
                kept.body_no,
                kept.obs_value
            from unnest(held.body_nos, held.obs_values) as kept (body_no, obs_value)
            left join unnest(changes.changed_nos) as changed (body_no) on kept.body_no = changed.body_no
            where changed.body_no is null
            union all
            select
                new.body_no,
                new.obs_value
            from unnest(changes.new_nos, changes.new_values) as new (body_no, obs_value)
        ) as entry
    )
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
