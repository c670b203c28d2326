{#- No two rows share the values of `columns`, and none is missing; the failing rows are the shared or incomplete keys. -#}
{% test unique_key(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
