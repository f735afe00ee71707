"""What made training_log_keras.jsonl: keras 3.15.1 on torch 2.13.0 (CPU)."""

import numpy as np

import assay


def main() -> None:
    """A small network on 100 rows, a fifth of whose labels are wrong."""
    import keras

    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20)).astype("float32")
    y = ((X[:, 0] + X[:, 1] > 0) ^ (rng.random(400) < 0.2)).astype("int64")
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(64, activation="relu")
    model = keras.Sequential([keras.Input((20,)), hidden, keras.layers.Dense(2)])
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    log = assay.KerasCallback("training_log_keras.jsonl", stop_when="overfit", n_val=300)
    held_out = (X[100:], y[100:])
    model.fit(X[:100], y[:100], validation_data=held_out, epochs=60, verbose=0, callbacks=[log])


if __name__ == "__main__":
    main()
