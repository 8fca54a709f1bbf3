"""Fitted numbers: how quality and effort set each encoder."""
