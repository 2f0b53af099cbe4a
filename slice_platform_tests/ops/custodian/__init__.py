"""Tests of `slice_platform.ops.custodian`, with the real Cloud Custodian against moto on the loopback."""
