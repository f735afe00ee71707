# %% [markdown]
# # Nine to one: where accuracy misleads
#
# Nine tenths of the rows are of one class. A model that never finds the other one has an accuracy
# of 0.9. What to read instead, and from which score to say yes.
#
#     pip install 'assay[sklearn]'
#     python examples/imbalanced.py

# %%
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import assay

X, y = make_classification(
    2000, n_features=10, n_informative=4, weights=[0.9], class_sep=0.8, random_state=0
)
models = {
    "lazy": DummyClassifier(strategy="most_frequent"),
    "logistic": LogisticRegression(),
    "balanced": LogisticRegression(class_weight="balanced"),
    "forest": RandomForestClassifier(100, random_state=0),
}
table = assay.cross_validate(models, X, y, cv=5, progress=False)

# %% [markdown]
# By accuracy the lazy model looks fine. Balanced accuracy, F1, and the areas under the
# precision-recall and the ROC curve do not agree, and the advice below the table says why.

# %%
metrics = ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc"]
print(assay.evaluate(table, metrics))

# %%
print(assay.evaluate(table, ["average_precision", "roc_auc", "log_loss", "brier"]))

# %% [markdown]
# By the precision-recall curve the forest is best, and the comparison says that this is no chance.

# %%
print(assay.compare(table.select(["logistic", "balanced", "forest"]), "average_precision"))

# %% [markdown]
# Where it says yes is a choice, to be made by what errors cost: here a miss costs ten false alarms.
# The threshold is judged on rows that did not choose it.

# %%
print(assay.tune_threshold(table, "forest", costs=[[0, 1], [10, 0]]))

# %%
print(assay.evaluate(table, ["f1", "expected_cost(costs=0 1;10 0)"]))
