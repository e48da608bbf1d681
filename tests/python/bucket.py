"""Makes the bucket or container `traces` in a store of a test.

Usage: bucket.py s3|azure ENDPOINT.
"""

import sys

kind, endpoint = sys.argv[1:3]
if kind == "s3":
    import boto3

    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **credentials).create_bucket(Bucket="traces")
else:
    from azure.storage.blob import BlobServiceClient

    # The account and key that every Azurite has.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    BlobServiceClient(f"{endpoint}/devstoreaccount1", credential=key).create_container("traces")
