"""What a training stage minimises: its task, or what a control puts in the task's place."""

from __future__ import annotations

from adaptstilts.errors import DataError
from adaptstilts.experiment.stage import Train
from adaptstilts.experiment.workbench import Workbench
from adaptstilts.head.classification import new_head
from adaptstilts.head.masked_lm import load_masked_lm_head
from adaptstilts.training.classification import Classification, shuffled_labels
from adaptstilts.training.contrastive import Contrastive
from adaptstilts.training.masked_lm import MaskedLM, masked_lm


def training_objective(
    stage: Train, workbench: Workbench
) -> Classification | MaskedLM | Contrastive:
    """The objective of a stage, over the task's training and dev rows.

    Args:
        stage: What is trained; not a random adapter, which is not trained.
        workbench: The base with the adapter attached, and the tokenised rows.

    Raises:
        DataError: The base has no masked-LM head or no `<mask>`, and the control needs them.
        HubError: The masked-LM head could not be had.
    """
    base, tokens, recipe = workbench.base, workbench.tasks[stage.key], stage.adapter
    if stage.control == "english_contrastive":
        return Contrastive(base, tokens.train.token_ids, tokens.dev.token_ids)
    if stage.control == "english_mlm":
        tokenizer = base.tokenizer
        if tokenizer is None or tokenizer.mask_token_id is None:
            raise DataError(
                f"base.model: {workbench.identity.model} has no `<mask>` in its vocabulary, which "
                f"the control {stage.name} (english_mlm) needs. Name another base, or leave that "
                "control out"
            )
        return masked_lm(
            base,
            load_masked_lm_head(workbench.identity, base, revision=workbench.record["revision"]),
            train=tokens.train.token_ids,
            dev=tokens.dev.token_ids,
            mask_id=tokenizer.mask_token_id,
            special_ids=tokenizer.all_special_ids,
        )
    head = new_head(
        width=base.shape.width,
        labels=len(stage.task.labels),
        pooling=recipe.head.pooling,
        dropout=recipe.head.dropout,
        seed=recipe.training.seed,
    ).to(base.device)
    train = tokens.train
    if stage.control == "shuffled_labels":
        train = shuffled_labels(train, seed=recipe.training.seed)
    return Classification(base, head, train, tokens.dev)
