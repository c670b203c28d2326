{#- `expression` is true of every row; the failing rows are those of which it is false or unknown. -#}
{% test expression_holds(model, expression) %}
    select *
    from {{ model }}
    where ({{ expression }}) is not true
{% endtest %}
