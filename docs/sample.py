"""The sample that the documents show, and its job as they give it: run in the top folder of a checkout."""

from __future__ import annotations

from pathlib import Path

from sipaudit import pipeline

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "samples/first-outage"
JOB = pipeline.Job(paths=(f"{SAMPLE}/capture.pcap",), site=f"{SAMPLE}/site.yaml", zone="utc")
