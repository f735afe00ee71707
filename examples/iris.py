# %% [markdown]
# # Iris: which classifier, by which average, and how sure
#
# Three classes of fifty flowers. Logistic regression against two others, each flower predicted by
# models that never saw it; precision, recall and F1 of each class and their averages, each with
# its interval.
#
#     pip install 'assay[sklearn]'
#     python examples/iris.py

# %%
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import assay

iris = load_iris()
species = iris.target_names[iris.target]
models = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "bayes": GaussianNB(),
    "tree": DecisionTreeClassifier(random_state=0),
}
table = assay.cross_validate(models, iris.data, species, cv=10, progress=False)

# %% [markdown]
# The classification report: a value for each class, then the averages. *Macro* is the mean over
# classes, *weighted* the mean by the rows of each, *micro* counts all rows together (with one label
# a row that is the accuracy). Classes are equally large here, so macro and weighted agree; where
# they do not, macro says how the small classes fare.

# %%
print(assay.evaluate(table.select(["logistic"]), "classification_report"))

# %%
averages = ["accuracy", "f1(average=macro)", "f1(average=weighted)", "f1(average=micro)"]
print(assay.evaluate(table, averages))

# %% [markdown]
# Which is best? 150 flowers do not tell these three apart: the comparison says so, and how many
# would.

# %%
print(assay.compare(table, "f1(average=weighted)"))

# %% [markdown]
# Which flowers does every model get wrong, and which measurements does the model rest on?

# %%
print(assay.hardest_rows(table, most=5))

# %%
fitted = models["logistic"].fit(iris.data[::2], species[::2])
petal = {"sepal": [0, 1], "petal": [2, 3]}
print(
    assay.permutation_importance(
        {"logistic": fitted}, iris.data[1::2], species[1::2], "accuracy", features=petal
    )
)
