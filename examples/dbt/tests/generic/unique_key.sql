{% test unique_key(model, columns) %}
-- The rows whose key is there more than once.
select {{ columns | join(', ') }}, count(*) as times
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
