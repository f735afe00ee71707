"""readers: training logs, whatever wrote them, as histories. Its verb is `read_history`.

- base: `Reader`, the base of a log format, and the registry of its members
- read_history: the verb: which reader takes a place, and the runs below a folder
- history: `History`, the curves of one run
- series: `Series`, one curve, and how the rows of a log become its points
- keras_curves: curves as Keras keeps them, those of validation perhaps shorter
- cells: what stands in the rows of a log, as numbers; rows that a restart replaced
- columns: the runs that a table of named columns holds: folds, splits, sets, appended runs
- appended: tables to which a further run, or a further fit of the same model, was appended
- numbered_sets: evaluation sets without a name, told apart by where their losses end
- objects: histories in memory, as frameworks return them, and data frames
- naming: which split and metric a column name means, and whether more is better
- ultralytics: `results.csv` of YOLO trainings
- text: JSON and delimited text, loaded whole or looked into
- large: tables and JSON lines of millions of rows, and data frames
- values: logs that are one object or list, as JSON, a pickle or NumPy holds it
- sqlite: stores of trackers, opened to be read alone
- protobuf: messages as their fields, without a schema
- rocksdb: the entries of a database on disk, without the library
- points: curves that were logged each at steps of its own, joined to one history
- events: the scalars of TensorBoard's event files
- pickled: pickles of plain values, followed without executing them
- boosting: XGBoost, LightGBM and CatBoost results saved as JSON
- catboost_info: what CatBoost writes beside every training
- console: what a training loop printed: lines of names and numbers
- csv: a loop of one's own as a delimited table
- huggingface: `trainer_state.json` of the Hugging Face Trainer
- long_table: a table with one value a row
- json: a loop of one's own as JSON or JSON lines
- keras_csv: Keras `CSVLogger`
- keras_json: Keras `History.history` saved as JSON
- lightning: `metrics.csv` of the Lightning `CSVLogger`
- skorch: `History.to_file` of skorch
- mlflow: runs of an MLflow store, of SQLite or of files
- mlflow_runs: runs of MLflow by their ID, on a server or in a local store
- wandb: the file of an offline run of Weights & Biases
- trackio: the store of a Trackio project
- aim: the repository of Aim, every run in it
- optuna: what the trials of Optuna's studies reported
- clearml: the metrics of an offline session of ClearML
- dvclive: the folder of a DVCLive run
- mmengine: `scalars.json` of MMDetection and others of its family
- detectron2: `metrics.json`, evaluations in their places
- ray: the folder of a trial of Ray Tune
- stable_baselines3: rewards of an agent
- fastai: the file of its `CSVLogger`
- fairseq: what fairseq prints
- nnunet: the text logs of nnU-Net
- allennlp: the folder of an AllenNLP run
- catboost_console: what CatBoost prints
- tensorboard: event files of PyTorch, Keras and all that log to TensorBoard
- tensorboard_csv: one curve as the page of TensorBoard saves it
- training_log: what `assay.TrainingLog` and the callbacks write while a run is under way

>>> import tempfile, pathlib
>>> from assay.readers.read_history import read_history
>>> log = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
>>> _ = log.write_text("epoch,loss,val_loss\\n0,0.9,1.0\\n1,0.6,0.8\\n")
>>> (run,) = read_history(log)
>>> run.name, run.format, run.find("val", "loss").values
('log', 'keras_csv', (1.0, 0.8))
"""
