"""What the definitions are made with: translation of dbt's nodes, charts, tables, metadata. Defines nothing itself."""
