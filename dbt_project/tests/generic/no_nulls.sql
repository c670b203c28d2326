{#- Every row has a value in each of `columns`: one pass over the table, where a test per column would be one each. -#}
{% test no_nulls(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
