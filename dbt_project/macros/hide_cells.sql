{#-
    Disclosure control (docs/reference/disclosure.md): which cells of tables of small counts are hidden, so that none that is small
    can be reckoned from what is shown. Statements on temporary tables, which a model has as its pre-hook:

      hide_leaf    what bodies reported: scope_no (one table: a group of cards, collection and period), node, parent, kind
                   (reported | recast), indicator_code, sex, tier (T the total, S what it is made of), least_count,
                   largest_share, least_contributors, amount
      hide_area    the areas: node, parent, level_no (1 raion, 2 oblast, 3 country)
      hide_term    equations: scope_no, equation_code, indicator_code, sex, sign; the terms of one add up to zero
      hide_before  what releases told or hid: scope_no, node, indicator_code, sex, obs_value, is_hidden
      hide_part    what a recast figure is made of: scope_no, node, part_node

    The answer is the temporary table hidden_cell: scope_no, node, indicator_code, sex, reason (primary | secondary).

    A node is hidden in a tier as a whole. `movable` is how much of a column is hidden below it and was never told: a reader knows
    the sum of what is hidden in a family (an area and what it is made of) whose area is shown, and nothing finer, so that sum
    must be of two nodes and not be small itself. The difference of two releases is the sum of what is hidden for the first time
    or says something else (`movable_new`), and the same holds of it. Where siblings that were never told do not suffice, the
    area is hidden too. A residual is what an equation leaves open in a node (women and men are not told); it must not stand
    alone either.
-#}
{% macro hide_cells() %}
    -- The planner takes what few are left for fewer, and would go through all of them for each.
    set local enable_nestloop = off;
    set local enable_mergejoin = off;

    create temporary table hide_known on commit drop as
    select
        scope_no,
        node,
        indicator_code || ' ' || sex as column_name,
        array_agg(obs_value) filter (where not is_hidden) as told_values,
        array_agg(obs_value) filter (where is_hidden) as hidden_values,
        bool_or(is_hidden) as was_hidden,
        bool_or(obs_value is null) as was_missing
    from hide_before
    group by scope_no, node, indicator_code, sex;

    create temporary table hide_figure on commit drop as
    select
        leaf.scope_no,
        leaf.tier,
        leaf.node,
        leaf.parent,
        leaf.kind,
        leaf.indicator_code || ' ' || leaf.sex as column_name,
        leaf.indicator_code,
        leaf.sex,
        false as is_residual,
        leaf.least_count,
        leaf.largest_share,
        leaf.least_contributors,
        leaf.amount,
        case when leaf.kind = 'reported' then leaf.amount else 0 end as largest,
        (leaf.amount > 0)::integer as contributor_count,
        {{ is_told('leaf') }} as is_told,
        coalesce(known.was_hidden, false) as was_hidden,
        {{ is_old('leaf') }} as is_old
    from hide_leaf as leaf
    left join hide_known as known
        on
            leaf.scope_no = known.scope_no
            and leaf.node = known.node
            and leaf.indicator_code || ' ' || leaf.sex = known.column_name;

    -- Who is told of, and was never hidden and has nothing small, is not hidden for others and moves nothing. Of such a body the
    -- areas alone are asked.
    create temporary table hide_open on commit drop as
    select distinct
        scope_no,
        node
    from (
        select
            scope_no,
            node
        from hide_figure
        group by scope_no, node, tier
        having
            bool_or(kind != 'reported' or was_hidden or amount > 0 and amount < least_count)
            or not bool_or(is_told)
    ) as node;

    insert into hide_figure
    select
        leaf.scope_no, 'S', leaf.node, leaf.parent, leaf.kind, 'equation ' || term.equation_code, null, null, true,
        least.least_count, null, null, abs(sum(term.sign * leaf.amount)), 0, 0, false, false, false
    from hide_leaf as leaf
    inner join hide_term as term
        on leaf.scope_no = term.scope_no and leaf.indicator_code = term.indicator_code and leaf.sex = term.sex
    inner join (select scope_no, max(least_count) as least_count from hide_leaf group by scope_no) as least
        on leaf.scope_no = least.scope_no
    group by leaf.scope_no, leaf.node, leaf.parent, leaf.kind, term.equation_code, least.least_count
    having abs(sum(term.sign * leaf.amount)) > 1e-6;

    create temporary table hide_cell on commit drop as
    select
        figure.scope_no,
        figure.tier,
        figure.node,
        figure.parent,
        0 as level_no,
        figure.kind,
        figure.column_name,
        figure.indicator_code,
        figure.sex,
        figure.is_residual,
        figure.least_count,
        figure.largest_share,
        figure.least_contributors,
        figure.amount,
        figure.largest,
        figure.contributor_count,
        0::numeric as cap,
        0::numeric as movable,
        0::numeric as movable_new,
        figure.is_told,
        figure.was_hidden,
        figure.is_old
    from hide_figure as figure
    inner join hide_open on figure.scope_no = hide_open.scope_no and figure.node = hide_open.node;

    -- what the others add to their areas
    create temporary table hide_settled on commit drop as
    select
        figure.scope_no,
        figure.tier,
        figure.parent,
        figure.column_name,
        figure.indicator_code,
        figure.sex,
        figure.is_residual,
        figure.least_count,
        figure.largest_share,
        figure.least_contributors,
        sum(figure.amount) as amount,
        max(figure.largest) as largest,
        sum(figure.contributor_count) as contributor_count
    from hide_figure as figure
    left join hide_open on figure.scope_no = hide_open.scope_no and figure.node = hide_open.node
    where hide_open.node is null and figure.parent is not null
    group by
        figure.scope_no, figure.tier, figure.parent, figure.column_name, figure.indicator_code, figure.sex, figure.is_residual,
        figure.least_count, figure.largest_share, figure.least_contributors;
    {% for level_no in (1, 2, 3) %}
        insert into hide_cell
        select
            child.scope_no, child.tier, area.node, area.parent, area.level_no, 'area', child.column_name, child.indicator_code,
            child.sex, child.is_residual, child.least_count, child.largest_share, child.least_contributors,
            sum(child.amount), max(child.largest), sum(child.contributor_count), 0, 0, 0, false, false, false
        from (
            select
                scope_no, tier, parent, column_name, indicator_code, sex, is_residual, least_count, largest_share,
                least_contributors, amount, largest, contributor_count
            from hide_cell
            union all
            select * from hide_settled
        ) as child
        inner join hide_area as area on child.parent = area.node
        where area.level_no = {{ level_no }}
        group by
            child.scope_no, child.tier, area.node, area.parent, area.level_no, child.column_name, child.indicator_code, child.sex,
            child.is_residual, child.least_count, child.largest_share, child.least_contributors;
    {% endfor %}
    update hide_cell as cell
    set is_told = {{ is_told('cell') }}, was_hidden = known.was_hidden, is_old = {{ is_old('cell') }}
    from hide_known as known
    where
        cell.level_no > 0
        and cell.scope_no = known.scope_no and cell.node = known.node and cell.column_name = known.column_name;
    analyze hide_cell;

    create temporary table hide_node on commit drop as
    with

    residuals as (

        select distinct scope_no, node from hide_cell where is_residual

    ),

    judged as (

        select
            scope_no,
            tier,
            node,
            parent,
            level_no,
            kind,
            coalesce(sum(amount) filter (where not is_residual), 0) as size,
            bool_or(kind != 'recast' and not is_residual and amount > 0 and amount < least_count) as is_small,
            bool_or(
                level_no > 0 and amount > 0
                and (coalesce(largest > largest_share * amount, false) or coalesce(contributor_count < least_contributors, false))
            ) as is_dominated,
            coalesce(bool_or(is_told), false) as is_told,
            coalesce(bool_or(was_hidden), false) as was_hidden,
            -- what was hidden and is gone: the difference of the totals is what it was
            coalesce(bool_or(was_hidden and amount = 0 and not is_old), false) as is_gone
        from hide_cell
        group by scope_no, tier, node, parent, level_no, kind

    )

    select
        judged.*,
        residuals.node is null as is_complete,
        judged.is_small or judged.is_dominated or judged.was_hidden as is_hidden,
        judged.is_dominated and not judged.is_small and not judged.was_hidden as is_complement,
        false as is_new
    from judged
    left join residuals on judged.scope_no = residuals.scope_no and judged.node = residuals.node;
    analyze hide_node;

    -- of a small figure whose neighbour was told before the total is hidden, too
    update hide_node as total
    set is_hidden = true
    from hide_node as made
    where
        total.tier = 'T' and made.tier = 'S' and made.is_small and made.is_told
        and total.scope_no = made.scope_no and total.node = made.node;
    {% for tier in ('T', 'S') %}
        {{ hide_tier(tier) }}
    {% endfor %}

    create temporary table hidden_cell on commit drop as
    select
        cell.scope_no,
        cell.node,
        cell.indicator_code,
        cell.sex,
        case
            when cell.kind != 'recast' and cell.amount > 0 and cell.amount < cell.least_count then 'primary'
            when node.is_dominated then 'primary'
            else 'secondary'
        end as reason
    from hide_cell as cell
    inner join hide_node as node on cell.scope_no = node.scope_no and cell.tier = node.tier and cell.node = node.node
    where node.is_hidden and not cell.is_residual;
    analyze hidden_cell;
{% endmacro %}

{% macro hide_tier(tier) %}
    {%- if tier == 'S' %}
        -- what is made of a hidden total would add up to it
        update hide_node as made
        set is_hidden = true
        from hide_node as total
        where
            made.tier = 'S' and not made.is_hidden and total.tier = 'T' and total.is_hidden
            and made.scope_no = total.scope_no and made.node = total.node;
    {%- endif %}

    -- a recast figure tells of its parts
    update hide_node as whole
    set is_hidden = true, was_hidden = source.was_hidden
    from (
        select part.scope_no, part.node, bool_and(source.was_hidden and not source.is_gone) as was_hidden
        from hide_part as part
        inner join hide_node as source
            on part.scope_no = source.scope_no and part.part_node = source.node and source.tier = '{{ tier }}'
        where source.is_hidden
        group by part.scope_no, part.node
    ) as source
    where whole.tier = '{{ tier }}' and whole.scope_no = source.scope_no and whole.node = source.node;

    update hide_node
    set is_new = not was_hidden or is_gone
    where tier = '{{ tier }}' and level_no = 0 and is_hidden;

    update hide_cell as cell
    set
        cap = case when node.is_hidden or (node.is_complete and not node.is_told) then cell.amount else 0 end
        * (not cell.is_told and not cell.is_old)::integer,
        movable = case when node.is_hidden then cell.amount else 0 end,
        movable_new = case when node.is_hidden and not cell.is_old then cell.amount else 0 end
    from hide_node as node
    where
        cell.tier = '{{ tier }}' and cell.level_no = 0 and node.tier = '{{ tier }}'
        and cell.scope_no = node.scope_no and cell.node = node.node
        and node.kind = 'reported' and not cell.is_told and node.parent is not null;
    {% for level_no in (1, 2, 3) %}
        update hide_cell as cell
        set cap = below.cap
        from (
            select scope_no, parent, column_name, sum(cap) as cap
            from hide_cell
            where tier = '{{ tier }}'
            group by scope_no, parent, column_name
        ) as below
        where
            cell.tier = '{{ tier }}' and cell.level_no = {{ level_no }} and cell.scope_no = below.scope_no
            and cell.node = below.parent and cell.column_name = below.column_name;
    {% endfor %}
    {% for level_no in (1, 2, 3) %}
        {{ hide_siblings(tier, level_no, is_downwards=false) }}
        update hide_cell as cell
        set
            movable = (not cell.is_told)::integer
            * greatest(below.movable, case when node.is_complement then least(cell.cap, cell.least_count) end),
            movable_new = (not cell.is_told)::integer
            * greatest(below.movable_new, case when node.is_complement then least(cell.cap, cell.least_count) end)
        from hide_node as node, (
            select scope_no, parent, column_name, sum(movable) as movable, sum(movable_new) as movable_new
            from hide_cell
            where tier = '{{ tier }}'
            group by scope_no, parent, column_name
        ) as below
        where
            cell.tier = '{{ tier }}' and cell.level_no = {{ level_no }} and cell.scope_no = below.scope_no
            and cell.node = below.parent and cell.column_name = below.column_name
            and node.tier = '{{ tier }}' and node.scope_no = cell.scope_no and node.node = cell.node and node.is_hidden;

        update hide_node as node
        set is_new = true
        where
            node.tier = '{{ tier }}' and node.level_no = {{ level_no }} and node.is_hidden
            and (
                not node.was_hidden
                or (node.scope_no, node.node) in (
                    select child.scope_no, child.parent from hide_node as child where child.tier = '{{ tier }}' and child.is_new
                )
            );
    {% endfor %}
    {% for level_no in (3, 2, 1) %}
        {{ hide_siblings(tier, level_no, is_downwards=true) }}
    {% endfor %}
{% endmacro %}

{#-
    In the families whose area is on `level_no`: upwards, those whose area is shown and in which something is hidden; downwards,
    those whose area is hidden to hide another and in which too little is. The smallest that were never told are hidden first.
-#}
{% macro hide_siblings(tier, level_no, is_downwards) %}
    create temporary table hide_need as
    with

    child as (

        select
            node.scope_no,
            node.parent,
            node.node,
            node.is_new,
            node.is_new or bool_or(cell.movable_new > 0) as is_movable_new,
            node.is_small or node.kind = 'recast' or bool_or(cell.movable > 0) as is_movable
        from hide_node as node
        inner join hide_area as area on node.parent = area.node and area.level_no = {{ level_no }}
        inner join hide_cell as cell
            on node.scope_no = cell.scope_no and cell.tier = '{{ tier }}' and node.node = cell.node
        where node.tier = '{{ tier }}' and node.is_hidden
        group by node.scope_no, node.parent, node.node, node.kind, node.is_new, node.is_small

    ),

    counted as (

        select
            scope_no,
            parent,
            {{ 'true' if is_downwards else 'bool_or(is_new)' }} as is_new,
            count(*) filter (where is_movable) as child_count,
            count(*) filter (where is_movable_new) as child_count_new
        from child
        where is_movable or is_new
        group by scope_no, parent

    ),

    moved as (

        select
            child.scope_no,
            child.parent,
            cell.column_name,
            sum(case when counted.is_new then least(cell.movable, cell.movable_new) else cell.movable end) as movable,
            count(*) filter (where case when counted.is_new then cell.movable_new else cell.movable end > 0) as mover_count
        from child
        inner join counted on child.scope_no = counted.scope_no and child.parent = counted.parent
        inner join hide_cell as cell
            on child.scope_no = cell.scope_no and cell.tier = '{{ tier }}' and child.node = cell.node
        group by child.scope_no, child.parent, cell.column_name

    )

    select
        node.scope_no,
        node.node as parent,
        cell.column_name,
        {{ 1 if is_downwards else 2 }} - case
            when counted.is_new then least(counted.child_count, counted.child_count_new) else coalesce(counted.child_count, 0)
        end as missing_count,
        case
            when cell.is_residual or cell.amount < cell.least_count then 0
            else cell.least_count - coalesce(moved.movable, 0)
        end as missing_amount,
        cell.is_residual and moved.scope_no is not null
        and (moved.mover_count < 2 or moved.movable < cell.least_count) as is_stuck
    from hide_node as node
    inner join hide_cell as cell
        on node.scope_no = cell.scope_no and cell.tier = '{{ tier }}' and node.node = cell.node
    left join counted on node.scope_no = counted.scope_no and node.node = counted.parent
    left join moved
        on node.scope_no = moved.scope_no and node.node = moved.parent and cell.column_name = moved.column_name
    where
        node.tier = '{{ tier }}' and node.level_no = {{ level_no }}
        and {{ 'node.is_hidden and node.is_complement' if is_downwards else 'not node.is_hidden and counted.scope_no is not null' }};

    create temporary table hide_offer as
    with

    eligible as (

        select
            node.scope_no,
            node.node
        from hide_node as node
        inner join (select distinct scope_no, parent from hide_need) as need
            on node.scope_no = need.scope_no and node.parent = need.parent
        inner join hide_cell as cell
            on node.scope_no = cell.scope_no and cell.tier = '{{ tier }}' and node.node = cell.node
        where
            node.tier = '{{ tier }}' and not node.is_hidden and not node.is_told and node.size > 0 and node.kind != 'recast'
            and (node.level_no > 0 or node.is_complete) and not cell.is_residual
        group by node.scope_no, node.node, node.level_no
        having node.level_no = 0 or bool_and(cell.amount < cell.least_count or cell.cap >= cell.least_count)

    )

    select
        node.scope_no,
        node.parent,
        node.node,
        node.level_no,
        cell.column_name,
        case when node.level_no = 0 then cell.amount else least(cell.cap, cell.least_count) end as offer,
        row_number() over by_size as place,
        coalesce(
            sum(case when node.level_no = 0 then cell.amount else least(cell.cap, cell.least_count) end)
                over (by_size rows between unbounded preceding and 1 preceding),
            0
        ) as offered_before
    from eligible
    inner join hide_node as node
        on eligible.scope_no = node.scope_no and node.tier = '{{ tier }}' and eligible.node = node.node
    inner join hide_cell as cell
        on node.scope_no = cell.scope_no and cell.tier = '{{ tier }}' and node.node = cell.node
    where not cell.is_residual
    window by_size as (partition by node.scope_no, node.parent, cell.column_name order by node.size, node.node);

    create temporary table hide_forced as
    select distinct
        need.scope_no,
        need.parent
    from hide_need as need
    left join (
        select scope_no, parent, column_name, count(*) as offer_count, sum(offer) as offer
        from hide_offer
        group by scope_no, parent, column_name
    ) as offers
        on need.scope_no = offers.scope_no and need.parent = offers.parent and need.column_name = offers.column_name
    where
        need.is_stuck
        or need.missing_amount > coalesce(offers.offer, 0)
        or (need.column_name not like 'equation %' and need.missing_count > coalesce(offers.offer_count, 0));

    create temporary table hide_picked as
    select distinct
        offer.scope_no,
        offer.node,
        offer.level_no
    from hide_offer as offer
    inner join hide_need as need
        on offer.scope_no = need.scope_no and offer.parent = need.parent and offer.column_name = need.column_name
    left join hide_forced as forced on offer.scope_no = forced.scope_no and offer.parent = forced.parent
    where
        (offer.place <= need.missing_count or offer.offered_before < need.missing_amount)
        {%- if not is_downwards %} and forced.scope_no is null{% endif %};

    update hide_node as node
    set is_hidden = true, is_complement = picked.level_no > 0, is_new = true
    from hide_picked as picked
    where node.tier = '{{ tier }}' and node.scope_no = picked.scope_no and node.node = picked.node;

    update hide_cell as cell
    set movable = offer.offer, movable_new = offer.offer
    from hide_offer as offer
    inner join hide_picked as picked on offer.scope_no = picked.scope_no and offer.node = picked.node
    where
        cell.tier = '{{ tier }}' and cell.scope_no = offer.scope_no and cell.node = offer.node
        and cell.column_name = offer.column_name;
    {% if not is_downwards %}
        update hide_node as node
        set is_hidden = true
        from hide_forced as forced
        where node.tier = '{{ tier }}' and node.scope_no = forced.scope_no and node.node = forced.parent;
    {% endif %}
    drop table hide_need, hide_offer, hide_forced, hide_picked;
{% endmacro %}

{#- Whether a release told this very figure, of `known`, which holds what releases told or hid of the cell. -#}
{% macro is_told(cell) -%}
    coalesce({{ cell }}.amount::double precision = any(known.told_values), false)
{%- endmacro %}

{#- Whether it was hidden and is the same. A figure that is missing, and was told to be, is 0 in every sum. -#}
{% macro is_old(cell) -%}
    (
        coalesce({{ cell }}.amount::double precision = any(known.hidden_values), false)
        or coalesce(known.was_missing and {{ cell }}.amount = 0, false)
    )
{%- endmacro %}
