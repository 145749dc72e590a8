"""The sample that documents show, analysed as they say: in the top folder of a checkout."""

from __future__ import annotations

from pathlib import Path

from sipaudit import pipeline

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "samples/first-outage"
JOB = pipeline.Job(paths=(f"{SAMPLE}/capture.pcap",), site=f"{SAMPLE}/site.yaml", zone="utc")
