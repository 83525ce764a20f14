{# Relations without the catalog, so that a view's SQL is valid in any DuckDB file it is copied to. #}
{% macro ref() %}
    {% set version = kwargs.get('version', kwargs.get('v')) %}
    {% do return(builtins.ref(*varargs, version=version).include(database=false)) %}
{% endmacro %}
