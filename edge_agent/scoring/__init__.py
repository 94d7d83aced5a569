"""Models at work: sessions of ONNX Runtime, proven, watched, and given up when idle."""

from edge_agent.scoring.probing import verify_golden
from edge_agent.scoring.resting import Kept, who_rests
from edge_agent.scoring.scorer import OnnxScorer
from edge_agent.scoring.sessions import Sessions

__all__ = ["Kept", "OnnxScorer", "Sessions", "verify_golden", "who_rests"]
