"""All that imports Airflow: its hooks, its page, the context of a task."""
