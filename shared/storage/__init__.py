"""Adapters to DynamoDB, S3, Step Functions and Secrets Manager: the only code that knows boto3."""
