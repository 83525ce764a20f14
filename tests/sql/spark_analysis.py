"""Has Spark resolve every compiled model, on relations that have the right columns and no rows.

Run by a Python that has pyspark, with dbt's target folder and a folder of Parquet files of the sources.
"""

import json
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

from pyspark.sql import SparkSession

target, sources = Path(sys.argv[1]), Path(sys.argv[2])
manifest = json.loads((target / "manifest.json").read_text())
models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)


def register(relation, schema):
    """A temporary view cannot be in a schema: the schema's name goes before its own."""
    spark.createDataFrame([], schema).createOrReplaceTempView(relation.replace(".", "_"))


for file in sorted(sources.glob("*.parquet")):
    register(f"ledger.{file.stem}", spark.read.parquet(str(file)).schema)
for name in TopologicalSorter({name: node["depends_on"]["nodes"] for name, node in models.items()}).static_order():
    if name in models:
        model = models[name]
        sql = (target / "compiled" / "llm_costs" / model["original_file_path"]).read_text()
        register(f"main.{model['name']}", spark.sql(re.sub(r"\b(main|ledger)\.(?=[a-z])", r"\1_", sql)).schema)
        sys.stdout.write(f"{model['name']}\n")
