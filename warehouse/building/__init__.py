"""From sources to the published warehouse: dbt run and tested, and what passed put in place by one rename."""
