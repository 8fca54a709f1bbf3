"""Imported by the fork server alone: what is found out once and all render children inherit."""

from imgcdn.engine.resample import simd_works

simd_works()
