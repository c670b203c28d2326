{#-
    Cells of the returns in `submissions`, typed: CTEs submissions, repeated, reasons and indicators are the model's own. One row
    per cell, or per cell whose code stands twice in its return when `only_repeated`.

    Return by return, so that what the return says of itself is not passed from step to step with each of its cells. `offset 0` keeps
    the planner from copying an expression to every place that reads its column; what is asked of the few texts alone is written out
    where it is read, because each step more costs as much as what it computes.
-#}
{% macro typed_cells(raw_cells, only_repeated=false) %}
    {%- set says_unit -%}
        value_type = 'text' and coalesce({{ has_unit('cleaned_text') }}, false)
    {%- endset -%}
    {#- the line's own unit beside the number says nothing new; another one is never guessed at -#}
    {%- set states_unit -%}
        {{ says_unit }} and coalesce({{ fold_unit(unit_part('cleaned_text')) }} = {{ fold_unit('unit_measure') }}, false)
    {%- endset -%}
    {#- zero is added, because -0 plus 0 is 0 -#}
    {%- set exact -%}
        coalesce(plain_value + 0, case when {{ is_castable('number_text') }} then number_text::double precision + 0 end)
    {%- endset %}
    select
        submissions.*,
        typed.*
    from submissions
    cross join lateral (
        select
            *,
            case when missing_status is null and typing_rule_id is null then {{ exact }} end as read_value
        from (
            select
                *,
                case
                    -- an explicit «конфіденційно» stands whatever is written beside it: a figure given in error must not get out
                    when given_status = 'C' then 'C'
                    when marker is not null and given_status is not null then given_status
                    when marker = 'blank' then 'M_NR'
                    when marker = 'no_data' then 'M_NC'
                    when marker is not null then 'M_NA'
                end as missing_status,
                case
                    when given_status = 'C' then given_reason
                    when marker is not null then coalesce(given_reason, marker)
                end as missing_reason,
                case
                    when not is_known
                        then case when marker != 'blank' or marker is null or sex = 'T' then 'CELL_UNKNOWN_CODE' end
                    when marker = 'blank' or given_status = 'C' then null
                    when not is_sex_asked then 'CELL_SEX_NOT_ASKED'
                    -- nearly every cell
                    when marker is not null or plain_value = 0 or abs(plain_value) between 1e-15 and 1e15 then null
                    when value_type = 'error' then 'CELL_ERROR_VALUE'
                    when value_type = 'date' then 'CELL_DATE'
                    when value_type = 'boolean' then 'CELL_BOOLEAN'
                    when value_type = 'formula_without_value' then 'CELL_FORMULA_NO_VALUE'
                    when plain_value is null and number_text is null and {{ says_unit }} then 'CELL_UNIT_TYPED_IN'
                    when plain_value is null and number_text is null then 'CELL_NOT_A_NUMBER'
                    when {{ exact }} is null or ({{ exact }} != 0 and abs({{ exact }}) not between 1e-15 and 1e15)
                        then 'CELL_OUT_OF_RANGE'
                end as typing_rule_id
            from (
                select
                    *,
                    case
                        when plain_value is not null then null
                        when value_type = 'empty' then 'blank'
                        when value_type != 'text' then null
                        when coalesce(cleaned_text, '') = '' then 'blank'
                        when cleaned_text ~ '^[-–—‒―]+$' then 'nil'
                        when cleaned_text ~ '^(…|[.]{2,})$' then 'no_data'
                        when cleaned_text ~ '^[хxХX]$' then 'not_meaningful'
                    end as marker,
                    plain_value is null and {{ states_unit }} as is_unit_stated,
                    case
                        when plain_value is not null then null
                        when {{ states_unit }} then {{ number_text(number_part('cleaned_text')) }}
                        else {{ number_text('cleaned_text') }}
                    end as number_text
                from (
                    select
                        raw_cell.sheet,
                        raw_cell.cell,
                        raw_cell.indicator_code,
                        raw_cell.sex,
                        raw_cell.value_text,
                        raw_cell.value_type,
                        -- few returns say anything twice, so that most cells are not looked for
                        case
                            when submissions.is_repeating
                                then
                                    (raw_cell.submission_id, raw_cell.indicator_code, raw_cell.sex) in (
                                        select
                                            repeated.submission_id,
                                            repeated.indicator_code,
                                            repeated.sex
                                        from repeated
                                    )
                            else false
                        end as is_repeated,
                        -- nearly every cell: one look at its text is enough
                        case when raw_cell.value_type = 'number' then {{ plain_number('raw_cell.value_text') }} end as plain_value,
                        case
                            when raw_cell.value_type = 'number' then raw_cell.value_text
                            when raw_cell.value_type = 'text' then {{ clean_text('raw_cell.value_text') }}
                        end as cleaned_text,
                        raw_cell.reason_text is not null
                        and reasons.obs_status is null
                        and coalesce({{ clean_text('raw_cell.reason_text') }}, '') != '' as has_odd_reason,
                        reasons.obs_status as given_status,
                        reasons.status_reason as given_reason,
                        indicators.unit_measure,
                        coalesce(
                            submissions.collection_code = indicators.collection_code
                            and submissions.form_year between indicators.valid_from and indicators.valid_to,
                            false
                        ) as is_known,
                        raw_cell.sex = 'T' or coalesce(indicators.is_sex_split, true) as is_sex_asked
                    from {{ raw_cells }} as raw_cell
                    left join reasons
                        on
                            lower(regexp_replace({{ clean_text('raw_cell.reason_text') }}, ' ?\((M_[A-Z]{2}|C)\)$', ''))
                            = reasons.reason_text
                    left join indicators on raw_cell.indicator_code = indicators.indicator_code
                    where raw_cell.submission_id = submissions.submission_id
                    offset 0
                ) as found
                offset 0
            ) as marked
            offset 0
        ) as judged
    ) as typed
    {%- if only_repeated %}
    where submissions.is_repeating and typed.is_repeated
    {%- endif %}
{% endmacro %}
