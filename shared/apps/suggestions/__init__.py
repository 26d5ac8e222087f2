"""Feature suggestions: a described page or component in, validated suggestions out."""

PIPELINES = ("suggestion",)
