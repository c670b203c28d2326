{# When the batch of an arrival came, for rows grouped by `batch_no`: a clock that was put back puts no arrival before, or into the
   same moment as, the one that it followed. A batch is never worth less than a microsecond. #}
{% macro arrived_at(partition_by) -%}
    max(max(received_at) - batch_no * interval '1 microsecond') over (partition by {{ partition_by }} order by batch_no)
    + batch_no * interval '1 microsecond'
{%- endmacro %}
