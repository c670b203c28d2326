with

listed_codes as (

    select * from {{ ref('stg_budget_classification__code') }}

),

-- a list holds until the next one of its kind begins
lists as (

    select
        list_name,
        budget_item,
        classification_type,
        lead(list_begin_date)
            over (partition by budget_item, classification_type order by list_begin_date asc, list_name asc) as next_list_date
    from (
        select distinct
            list_name,
            budget_item,
            classification_type,
            list_begin_date
        from listed_codes
        where list_begin_date is not null
    ) as dated

),

listed as (

    select
        code.budget_item,
        code.classification_type,
        code.classification_code,
        code.name_uk,
        code.parent_code,
        code.begin_date as valid_from,
        least(code.end_date + 1, lists.next_list_date) as valid_to,
        'list' as basis
    from listed_codes as code
    inner join lists
        on
            code.list_name = lists.list_name
            and code.budget_item = lists.budget_item
            and code.classification_type = lists.classification_type
    where code.begin_date is not null and (lists.next_list_date is null or code.begin_date < lists.next_list_date)

),

first_listed as (

    select
        budget_item,
        classification_type,
        classification_code,
        min(valid_from) as first_date
    from listed
    group by budget_item, classification_type, classification_code

),

-- what no list of the time names is called what the reports call it, from the first report that does so
reported_names as (

    select
        budget_item,
        classification_type,
        classification_code,
        name_uk,
        min(first_date) as valid_from
    from {{ ref('int_budget__reported_name') }}
    group by budget_item, classification_type, classification_code, name_uk

),

-- two names first reported in one month: the one that sorts first holds
reported as (

    select
        names.budget_item,
        names.classification_type,
        names.classification_code,
        names.name_uk,
        null as parent_code,
        names.valid_from,
        least(
            lead(names.valid_from)
                over (
                    partition by names.budget_item, names.classification_type, names.classification_code
                    order by names.valid_from asc
                ),
            first_listed.first_date
        ) as valid_to,
        'report' as basis
    from (
        select distinct on (budget_item, classification_type, classification_code, valid_from) *
        from reported_names
        order by budget_item asc, classification_type asc, classification_code asc, valid_from asc, name_uk asc
    ) as names
    left join first_listed
        on
            names.budget_item = first_listed.budget_item
            and names.classification_type = first_listed.classification_type
            and names.classification_code = first_listed.classification_code
    where first_listed.first_date is null or names.valid_from < first_listed.first_date

),

-- a list without dates only names what nothing else does
undated as (

    select distinct on (code.budget_item, code.classification_type, code.classification_code)
        code.budget_item,
        code.classification_type,
        code.classification_code,
        code.name_uk,
        code.parent_code,
        '1900-01-01'::date as valid_from,
        null::date as valid_to,
        'undated' as basis
    from listed_codes as code
    left join reported_names
        on
            code.budget_item = reported_names.budget_item
            and code.classification_type = reported_names.classification_type
            and code.classification_code = reported_names.classification_code
    left join first_listed
        on
            code.budget_item = first_listed.budget_item
            and code.classification_type = first_listed.classification_type
            and code.classification_code = first_listed.classification_code
    where code.begin_date is null and reported_names.classification_code is null and first_listed.classification_code is null
    order by
        code.budget_item asc, code.classification_type asc, code.classification_code asc, code.list_name asc, code.row_no asc

),

entries as (

    select * from listed
    union all
    select * from reported
    union all
    select * from undated

),

-- lists that follow each other and call a code the same are one stretch of time
marked as (

    select
        *,
        coalesce(
            lag(name_uk) over code = name_uk and lag(valid_to) over code = valid_from and lag(basis) over code = basis, false
        ) as goes_on
    from entries
    window code as (partition by budget_item, classification_type, classification_code order by valid_from asc)

),

stretches as (

    select
        *,
        count(*) filter (where not goes_on)
            over (partition by budget_item, classification_type, classification_code order by valid_from asc) as stretch_no
    from marked

),

merged as (

    select
        budget_item,
        classification_type,
        classification_code,
        min(valid_from) as valid_from,
        case when bool_and(valid_to is not null) then max(valid_to) end as valid_to,
        min(name_uk) as name_uk,
        max(parent_code) as listed_parent_code,
        min(basis) as basis
    from stretches
    group by budget_item, classification_type, classification_code, stretch_no

),

final as (

    select
        budget_item,
        classification_type,
        classification_code,
        valid_from,
        valid_to,
        name_uk,
        coalesce(listed_parent_code, {{ budget_code_above('classification_code', 'classification_type') }}) as parent_code,
        {{ budget_section('classification_code', 'classification_type') }} as section_code,
        basis,
        valid_to is null as is_current
    from merged

)

select * from final
