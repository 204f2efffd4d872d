"""The judge must notice what it is there to notice: python -m unittest test_judge"""

import json
import os
import shutil
import tempfile
import unittest
import zipfile

import common
import h5py
import judge

MODELS = os.path.join(os.path.dirname(__file__), "..", "models")


class Judge(unittest.TestCase):
    """Each test changes one thing in a copy of a recorded model."""

    def setUp(self):
        self.original = os.path.join(MODELS, "mlp_compiled.keras")
        self.inputs = os.path.join(MODELS, "mlp_compiled.npz")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copy = os.path.join(folder.name, "copy.keras")
        self.weights = os.path.join(folder.name, "weights.h5")

    def differences(self, *, config=lambda tree: None, weights=lambda file: None, method=0):
        """What the judge says of a copy after `config` and `weights` changed it."""
        with zipfile.ZipFile(self.original) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        tree = json.loads(members["config.json"])
        config(tree)
        members["config.json"] = json.dumps(tree).encode()
        with open(self.weights, "wb") as file:
            file.write(members[judge.WEIGHTS])
        with h5py.File(self.weights, "r+") as file:
            weights(file)
        with open(self.weights, "rb") as file:
            members[judge.WEIGHTS] = file.read()
        with zipfile.ZipFile(self.copy, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return judge.same(self.original, self.copy, self.inputs)

    def test_equal_files_are_equal(self):
        shutil.copy(self.original, self.copy)
        self.assertEqual(judge.same(self.original, self.copy, self.inputs), [])
        self.assertEqual(judge.close(self.copy, self.inputs), [])
        self.assertEqual(self.differences(), [])

    def test_addresses_of_shared_objects_do_not_count(self):
        self.assertEqual(self.differences(config=lambda tree: tree.update(shared_object_id=1)), [])

    def test_one_bit_of_a_weight(self):
        def change(file):
            kernel = file["layers/dense/vars/0"]
            kernel[2, 3] = kernel[2, 3] * (1 + 2**-23)

        (line,) = self.differences(weights=change)
        self.assertIn("weight dense/kernel: 1 of 160 elements differ, first at 35", line)
        (line,) = judge.h5(self.original, self.copy)
        self.assertIn("/layers/dense/vars/0", line)

    def test_optimizer_state(self):
        def change(file):
            file["optimizer/vars/0"][()] += 1

        (line,) = self.differences(weights=change)
        self.assertIn("optimizer", line)
        self.assertIn("iteration", line)

    def test_config(self):
        def change(tree):
            tree["config"]["layers"][2]["config"]["epsilon"] = 0.002

        found = self.differences(config=change)
        self.assertIn("config.config.layers[2].config.epsilon: 0.001 became 0.002", found)

    def test_compile_config(self):
        def change(tree):
            tree["compile_config"]["optimizer"]["config"]["beta_1"] = 0.8

        found = self.differences(config=change)
        self.assertTrue(any("compile_config.optimizer.config.beta_1" in line for line in found))

    def test_layout_of_the_archive(self):
        found = self.differences(method=zipfile.ZIP_DEFLATED)
        self.assertIn("member config.json: compressed, Keras stores", found)

    def test_attributes_and_dtypes_in_weights(self):
        def change(file):
            file["layers/dense/vars"].attrs["name"] = "other"
            bias = file["layers/dense/vars/1"][()]
            del file["layers/dense/vars/1"]
            file["layers/dense/vars/1"] = bias.astype("float64")

        self.differences(weights=change)
        lines = judge.h5(self.original, self.copy)
        self.assertEqual(len(lines), 2, lines)

    def test_predictions(self):
        recorded = os.path.join(os.path.dirname(self.copy), "other.npz")
        inputs, outputs = (common.read_arrays(self.inputs, letter) for letter in "xy")
        outputs[0][1, 1] += 1e-3
        common.write_npz(recorded, common.numbered(inputs, "x") | common.numbered(outputs, "y"))
        self.assertEqual(len(judge.close(self.original, recorded)), 1)
        self.assertEqual(len(judge.outputs(self.inputs, recorded)), 1)
        self.assertEqual(judge.outputs(self.inputs, self.inputs), [])


if __name__ == "__main__":
    unittest.main()
