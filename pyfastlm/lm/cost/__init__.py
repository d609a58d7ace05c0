"""What scoring would cost: work counted from a model, rates measured on a machine, workers simulated."""

from pyfastlm.lm.cost.fleet import Fleet, Outcome, simulate
from pyfastlm.lm.cost.prediction import Prediction, bound, predict
from pyfastlm.lm.cost.rates import Rates, measure_rates
from pyfastlm.lm.cost.texts import TextWork, text_work
from pyfastlm.lm.cost.work import ModelWork, model_work

__all__ = [
    "Fleet",
    "ModelWork",
    "Outcome",
    "Prediction",
    "Rates",
    "TextWork",
    "bound",
    "measure_rates",
    "model_work",
    "predict",
    "simulate",
    "text_work",
]
