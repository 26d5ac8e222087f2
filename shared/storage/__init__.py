"""Implement the ports on DynamoDB, S3, Step Functions and Secrets Manager; no other package imports boto3."""
