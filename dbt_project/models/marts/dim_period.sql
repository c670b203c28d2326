with recursive

-- not materialized: an index finds the first and the last period of each body, and the rows are not read
facts as not materialized (

    select * from {{ ref('fct_indicator_value') }}

),

budgets as not materialized (

    select * from {{ ref('fct_budget_monthly') }}

),

{% for table in ('facts', 'budgets') %}
bodies_of_{{ table }} as (

    select min(municipality_code) as code
    from {{ table }}
    union all
    select (
        select min(later.municipality_code)
        from {{ table }} as later
        where later.municipality_code > bodies.code
    ) as code
    from bodies_of_{{ table }} as bodies
    where bodies.code is not null

),

ends_of_{{ table }} as (

    select
        (
            select min(told.time_period)
            from {{ table }} as told
            where told.municipality_code = bodies.code
        ) as first_period,
        (
            select max(told.time_period)
            from {{ table }} as told
            where told.municipality_code = bodies.code
        ) as last_period
    from bodies_of_{{ table }} as bodies

),
{% endfor %}
present_years as (

    select left(unnest(array[first_period, last_period]), 4)::integer as year
    from ends_of_facts
    union all
    select left(unnest(array[first_period, last_period]), 4)::integer as year
    from ends_of_budgets

),

-- the first collection is of 2018; years without data stand in the list too, so that a chart shows the gap
years as (

    select generate_series(least(2018, min(year)), greatest(2018, max(year))) as year
    from present_years

),

months (month, name_uk, name_en) as (

    values
    (1, 'січень', 'January'), (2, 'лютий', 'February'), (3, 'березень', 'March'), (4, 'квітень', 'April'),
    (5, 'травень', 'May'), (6, 'червень', 'June'), (7, 'липень', 'July'), (8, 'серпень', 'August'),
    (9, 'вересень', 'September'), (10, 'жовтень', 'October'), (11, 'листопад', 'November'), (12, 'грудень', 'December')

),

final as (

    select
        year::text as time_period,
        'A' as freq,
        make_date(year, 1, 1) as period_start,
        make_date(year, 12, 31) as period_end,
        year,
        year || ' рік' as name_uk,
        year::text as name_en
    from years
    union all
    select
        years.year || '-' || lpad(months.month::text, 2, '0') as time_period,
        'M' as freq,
        make_date(years.year, months.month, 1) as period_start,
        (make_date(years.year, months.month, 1) + interval '1 month' - interval '1 day')::date as period_end,
        years.year,
        months.name_uk || ' ' || years.year as name_uk,
        months.name_en || ' ' || years.year as name_en
    from years
    cross join months

)

select * from final
