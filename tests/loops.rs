//! Loops over time steps: values on every device, in both directions, and what is refused.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{assert_close, gpu};
use keraunos::base::{DType, Result, Spec};
use keraunos::graph::{Graph, Value};
use keraunos::layers::SimpleRNN;
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::tensor::{Tensor, Variable};
use keraunos::{Device, Sequential};

/// Traces a graph over `inputs` and runs it on a device.
fn run_on(
    device: &Device,
    inputs: &[Tensor],
    trace: impl for<'g> Fn(&'g Graph, &[Value<'g>]) -> Result<Vec<Value<'g>>>,
) -> Result<Vec<Tensor>> {
    let graph = Graph::new();
    let values: Vec<Value<'_>> = inputs.iter().map(|t| graph.input(t.spec().clone())).collect();
    let outputs: Vec<usize> = trace(&graph, &values)?.iter().map(|v| v.id()).collect();
    let program = Program::new(graph.finish()?, &outputs);
    Compiled::new(program, device, &Options::default(), &mut |_, _| {})?.run(inputs)
}

/// Runs on the host and on the adapter and compares both with what is expected.
fn expect(
    inputs: &[Tensor],
    expected: &[Tensor],
    trace: impl for<'g> Fn(&'g Graph, &[Value<'g>]) -> Result<Vec<Value<'g>>>,
) {
    for device in [Device::Host, gpu()] {
        let found = run_on(&device, inputs, &trace).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_close(found, expected, 1e-6, &device.to_string());
        }
    }
}

fn tensor<const N: usize>(shape: [usize; N], elements: &[f32]) -> Tensor {
    Tensor::new(shape, elements).unwrap()
}

#[test]
fn outputs_are_stacked_in_the_order_of_the_steps() {
    let x = tensor([3, 2], &[1.0, 2.0, 10.0, 20.0, 100.0, 200.0]);
    for (backwards, rows) in [
        (false, [1.0, 2.0, 11.0, 22.0, 111.0, 222.0]),
        (true, [100.0, 200.0, 110.0, 220.0, 111.0, 222.0]),
    ] {
        let last = tensor([2], &[111.0, 222.0]);
        expect(std::slice::from_ref(&x), &[tensor([3, 2], &rows), last], |graph, inputs| {
            let start = graph.scalar(0.0, DType::Float32).broadcast([2]);
            let (outputs, carries) =
                graph.loop_over_time(3, backwards, inputs, &[start], |x, sum| {
                    let sum = sum[0] + x[0];
                    Ok((vec![sum], vec![sum]))
                })?;
            Ok(vec![outputs[0], carries[0]])
        });
    }
}

#[test]
fn bodies_may_use_outer_values_and_variables() {
    let x = tensor([2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let scale = Variable::new("scale", true, Arc::new(tensor([2], &[10.0, 100.0])));
    let expected = [tensor([2, 2], &[11.0, 201.0, 31.0, 401.0])];
    expect(&[x, tensor([2], &[1.0, 1.0])], &expected, |graph, inputs| {
        let (scale, shift) = (graph.read(&scale), inputs[1]);
        let steps = graph.loop_over_time(2, false, &inputs[..1], &[], |x, _| {
            Ok((vec![x[0] * scale + shift], Vec::new()))
        });
        Ok(steps?.0)
    });
}

#[test]
fn carries_of_every_lane_pass_from_step_to_step() {
    let x = tensor([4], &[0.5, -0.5, 0.25, -1.0]);
    let mask = Tensor::from_bools([4], &[true, false, true, true]).unwrap();
    let count = Tensor::new([], &[3i32]).unwrap();
    let any = Tensor::from_bools([], &[true]).unwrap();
    let half = tensor([], &[-0.25]).cast(DType::Float16);
    expect(&[x, mask], &[count, any, half], |graph, inputs| {
        let start = [(0.0, DType::Int32), (0.0, DType::Bool), (0.0, DType::Float16)];
        let start = start.map(|(value, dtype)| graph.scalar(value, dtype));
        let steps = graph.loop_over_time(4, false, inputs, &start, |x, carry| {
            let (x, valid) = (x[0], x[1]);
            let negative = x.binary("lt", x.like(0.0));
            let next = vec![
                carry[0] + valid.cast(DType::Int32),
                valid.select(negative, carry[1]),
                valid.select(carry[2] + x.cast(DType::Float16), carry[2]),
            ];
            Ok((Vec::new(), next))
        });
        Ok(steps?.1)
    });
}

#[test]
fn variables_that_a_body_assigns_have_the_value_of_the_last_step() {
    let x = tensor([3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    for device in [Device::Host, gpu()] {
        let start = || Arc::new(tensor([2], &[8.0, 16.0]));
        let (state, other) =
            (Variable::new("state", false, start()), Variable::new("other", false, start()));
        let found = run_on(&device, std::slice::from_ref(&x), |graph, inputs| {
            graph.assign(&state, graph.read(&state) * 0.5);
            let steps = graph.loop_over_time(3, false, inputs, &[], |x, _| {
                let before = graph.read(&state);
                graph.assign(&state, before + x[0]);
                graph.assign(&state, graph.read(&state) + 1.0);
                graph.assign(&other, x[0] * 2.0);
                Ok((vec![before * graph.read(&other)], Vec::new()))
            });
            Ok(vec![steps?.0[0], graph.read(&state)])
        });
        let found = found.unwrap();
        let rows = tensor([3, 2], &[8.0, 32.0, 36.0, 88.0, 100.0, 192.0]);
        let last = tensor([2], &[16.0, 23.0]);
        assert_close(&found[0], &rows, 1e-6, &device.to_string());
        for found in [&found[1], &state.value().unwrap()] {
            assert_close(found, &last, 1e-6, &device.to_string());
        }
        let other = other.value().unwrap();
        assert_close(&other, &tensor([2], &[10.0, 12.0]), 1e-6, &device.to_string());
    }
}

#[test]
fn losses_that_a_body_adds_are_summed_over_the_steps() {
    let x = tensor([3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    expect(&[x], &[tensor([], &[21.0])], |graph, inputs| {
        graph.loop_over_time(3, false, inputs, &[], |x, _| {
            graph.add_loss(0, x[0].sum(&[0]));
            Ok((Vec::new(), Vec::new()))
        })?;
        Ok(graph.losses())
    });
}

#[test]
fn loops_inside_of_loops_see_rows_carries_and_variables_of_both() {
    let x = tensor([2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let (scale, count) = (tensor([], &[2.0]), tensor([], &[0.0]));
    let scale = Variable::new("scale", true, Arc::new(scale));
    for device in [Device::Host, gpu()] {
        let count = Variable::new("count", false, Arc::new(count.clone()));
        let found = run_on(&device, std::slice::from_ref(&x), |graph, inputs| {
            let start = graph.scalar(1.0, DType::Float32);
            graph
                .loop_over_time(2, false, inputs, &[start], |row, outer| {
                    let (inner, last) = graph.loop_over_time(3, true, row, outer, |x, sum| {
                        graph.assign(&count, graph.read(&count) + 1.0);
                        let sum = sum[0] + x[0] * graph.read(&scale) * outer[0];
                        Ok((vec![sum], vec![sum]))
                    })?;
                    Ok((vec![inner[0] + row[0]], last))
                })
                .map(|(outputs, carries)| vec![outputs[0], carries[0]])
        });
        let found = found.unwrap();
        // 1 + 2 · 3, + 2 · 2, + 2 · 1; then 13 + 26 · 6, + 26 · 5, + 26 · 4.
        let rows = tensor([2, 3], &[8.0, 13.0, 16.0, 173.0, 304.0, 409.0]);
        assert_close(&found[0], &rows, 1e-6, &device.to_string());
        assert_close(&found[1], &tensor([], &[403.0]), 1e-6, &device.to_string());
        assert_close(&count.value().unwrap(), &tensor([], &[6.0]), 0.0, &device.to_string());
    }
}

/// A recurrent network over this many steps, in double precision.
fn recurrence(x: &[f32], [w, u]: [f64; 2]) -> f32 {
    x.iter().fold(0.0, |h: f64, &x| (w * f64::from(x) + u * h).tanh()) as f32
}

#[test]
fn a_plan_is_as_large_for_2000_steps_as_for_two() {
    let model = |steps: usize| {
        let layer = SimpleRNN::new(1).use_bias(false);
        Sequential::new([steps, 1]).add(layer).build().unwrap()
    };
    let regions = |steps: usize| {
        let spec = Spec::new([2, steps, 1], DType::Float32);
        let mut program = model(steps).program(&[spec]).unwrap();
        program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
        Compiled::describe(&program, &Options::default()).unwrap().regions.len()
    };
    let start = Instant::now();
    assert_eq!(regions(2000), regions(2));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "planning took {took:?}");
    let x: Vec<f32> = (0..4000).map(|i| ((i * 29) % 41) as f32 / 20.0 - 1.0).collect();
    let model = model(2000);
    for ((_, variable), value) in model.variables().iter().zip([0.9f32, 0.8]) {
        variable.assign(Tensor::new([1, 1], &[value]).unwrap()).unwrap();
    }
    let weights = [0.9f32, 0.8].map(f64::from);
    let expected: Vec<f32> = x.chunks(2000).map(|row| recurrence(row, weights)).collect();
    let expected = tensor([2, 1], &expected);
    let x = tensor([2, 2000, 1], &x);
    for device in [Device::Host, gpu()] {
        let y = model.call(std::slice::from_ref(&x), &device).unwrap();
        assert_close(&y[0], &expected, 1e-5, &device.to_string());
    }
}

#[test]
fn no_step_gives_empty_outputs_and_the_first_carries() {
    let expected = [Tensor::zeros(Spec::new([0, 2, 1], DType::Float32)), tensor([2], &[5.0, 6.0])];
    let x = Tensor::zeros(Spec::new([0, 2], DType::Float32));
    expect(&[x, tensor([2], &[5.0, 6.0])], &expected, |graph, inputs| {
        let (x, start) = inputs.split_at(1);
        let (outputs, carries) = graph.loop_over_time(0, false, x, start, |x, carry| {
            Ok((vec![x[0].reshape([2, 1])], vec![carry[0] * 2.0]))
        })?;
        Ok(vec![outputs[0], carries[0]])
    });
}

#[test]
fn loops_that_do_not_fit_are_refused() {
    let graph = Graph::new();
    let x = graph.input(Spec::new([3, 2], DType::Float32));
    let carry = graph.scalar(0.0, DType::Float32);
    let steps = graph.loop_over_time(4, false, &[x], &[], |x, _| Ok((x.to_vec(), Vec::new())));
    let error = steps.unwrap_err().to_string();
    assert!(error.contains("(3, 2) float32") && error.contains("4 steps"), "{error}");
    let changed =
        graph.loop_over_time(3, false, &[x], &[carry], |x, _| Ok((Vec::new(), x.to_vec())));
    let error = changed.unwrap_err().to_string();
    assert!(error.contains("carries"), "{error}");
}
