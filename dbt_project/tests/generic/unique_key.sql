{#-
    No two rows share the values of `columns`, and none is missing; the failing rows are the shared or incomplete keys. Where a unique
    index holds the key, only missing values are looked for: counting a country's keys costs more than the index.
-#}
{% test unique_key(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    where {{ 'num_nulls(' ~ columns | join(', ') ~ ') > 0' if has_unique_index(columns) else 'true' }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
