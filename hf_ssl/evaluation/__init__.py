"""How good are the embeddings? Protocols that take any encoder of transformers, ours or not."""

from .baselines import random_init_like, raw_pixels
from .collapse import effective_rank, feature_std
from .evaluate import evaluate_encoder
from .features import Features, extract_features, preprocess
from .image_processors import find_image_processor, load_image_processor
from .knn import knn_accuracy, knn_predict
from .labels import evaluable, labelled_part
from .linear import LinearResult, fit_logistic, linear_probe
from .low_label import LowLabelResult, low_label_probe
from .report import EvaluationReport, EvaluationRow

__all__ = [
    "EvaluationReport",
    "EvaluationRow",
    "Features",
    "LinearResult",
    "LowLabelResult",
    "effective_rank",
    "evaluable",
    "evaluate_encoder",
    "extract_features",
    "feature_std",
    "find_image_processor",
    "fit_logistic",
    "knn_accuracy",
    "knn_predict",
    "labelled_part",
    "linear_probe",
    "load_image_processor",
    "low_label_probe",
    "preprocess",
    "random_init_like",
    "raw_pixels",
]
