//! The host executor's own kernels against the oracle, at the sizes where they change their way.

mod common;

use common::{assert_close, oracle};
use keraunos::base::{DType, Shape, Spec};
use keraunos::graph::ops::{ConvGeometry, ConvKind};
use keraunos::graph::{Graph, Value};
use keraunos::program::{Options, Program};
use keraunos::runtime::{Compiled, Device};
use keraunos::tensor::Tensor;

/// Numbers without a pattern that a stride could hide.
fn numbers(shape: &Shape) -> Tensor {
    let number = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    let all: Vec<f32> = (0..shape.len()).map(number).collect();
    Tensor::new(shape.clone(), &all).unwrap()
}

/// Runs a formula twice on the host, which must agree to the last bit, and compares with the oracle.
fn check(what: &str, shapes: &[Shape], formula: impl for<'g> Fn(&[Value<'g>]) -> Value<'g>) {
    let graph = Graph::new();
    let inputs: Vec<Value<'_>> =
        shapes.iter().map(|s| graph.input(Spec::new(s.clone(), DType::Float32))).collect();
    let output = formula(&inputs).id();
    let program = Program::new(graph.finish().unwrap(), &[output]);
    let inputs: Vec<Tensor> = shapes.iter().map(numbers).collect();
    let expected = oracle(&program, &inputs);
    let plan = Compiled::new(program, &Device::Host, &Options::default(), &mut |_, _| {}).unwrap();
    let found = plan.run(&inputs).unwrap();
    assert_close(&found[0], &expected[0], 2e-6 * shapes[0].len() as f64, what);
    assert_eq!(plan.run(&inputs).unwrap()[0].bytes(), found[0].bytes(), "{what}: a second run");
}

#[test]
fn products_of_all_sizes_and_orientations() {
    // Rows and columns around a block of registers, depths around a piece, few rows and many columns.
    let sizes = [(1, 1, 1), (3, 33, 5), (9, 31, 17), (17, 64, 40), (5, 40, 1030), (2, 700, 300)];
    for (m, n, k) in sizes {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            for (batch_a, batch_b) in [(1, 1), (3, 3), (3, 1), (1, 3)] {
                let a = if ta { [batch_a, k, m] } else { [batch_a, m, k] };
                let b = if tb { [batch_b, n, k] } else { [batch_b, k, n] };
                let what = format!("{a:?} · {b:?}, {ta} {tb}");
                check(&what, &[a.into(), b.into()], |v| {
                    let product = v[0].matmul_flags(v[1], ta, tb);
                    (product * 0.5).tanh() + product
                });
            }
        }
    }
}

fn geometry(channels: [usize; 2], kernel: usize, stride: usize, groups: usize) -> ConvGeometry {
    let (size, pad) = (9usize, kernel / 2);
    let output = (size + 2 * pad - kernel) / stride + 1;
    ConvGeometry {
        batch: 2,
        input: [1, size, size],
        in_channels: channels[0],
        output: [1, output, output],
        out_channels: channels[1],
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
        dilation: [1; 3],
        pad: [0, pad, pad],
        groups,
    }
}

#[test]
fn convolutions_and_their_gradients() {
    let mut geometries = vec![
        geometry([3, 40], 3, 1, 1),
        geometry([3, 5], 5, 2, 1),
        geometry([20, 33], 3, 2, 1),
        geometry([20, 33], 1, 2, 1),
        geometry([16, 8], 1, 1, 1),
        geometry([12, 20], 3, 1, 4),
        geometry([40, 40], 3, 1, 40),
        geometry([6, 18], 3, 2, 6),
        geometry([1, 7], 3, 1, 1),
        geometry([40, 80], 3, 2, 40),
        geometry([70, 70], 5, 3, 70),
        geometry([12, 20], 3, 2, 4),
        geometry([70, 35], 5, 3, 5),
    ];
    let dilated = ConvGeometry { dilation: [1, 2, 2], pad: [0, 2, 2], ..geometry([4, 6], 3, 1, 1) };
    // Padding in front alone, as `causal` and some of `same` are.
    let one_sided = ConvGeometry { pad: [0, 0, 2], output: [1, 7, 9], ..geometry([5, 6], 3, 1, 1) };
    // Steps and gaps together, in a group and in several; steps along one axis; many positions.
    for groups in [1, 2, 6] {
        let apart = geometry([6, 12], 3, 2, groups);
        geometries.push(ConvGeometry {
            dilation: [1, 3, 2],
            pad: [0, 3, 2],
            output: [1, 5, 5],
            ..apart
        });
        let along_one = ConvGeometry { stride: [1, 1, 2], output: [1, 9, 5], ..apart };
        geometries.extend([along_one, ConvGeometry { batch: 30, ..apart }]);
        let volume = ConvGeometry {
            input: [5, 6, 7],
            output: [3, 3, 4],
            kernel: [3; 3],
            stride: [2; 3],
            pad: [1; 3],
            ..apart
        };
        geometries.push(volume);
    }
    // Taps in front of the first position, at a stride that divides no power of two.
    let thirds = ConvGeometry { pad: [0; 3], output: [1, 2, 2], ..geometry([4, 6], 4, 3, 1) };
    geometries.extend([dilated, one_sided, thirds]);
    for g in geometries {
        let [x, kernel, y] = [g.x_shape(), g.kernel_shape(), g.y_shape()];
        let ways = [
            (ConvKind::Forward, &x, &kernel),
            (ConvKind::InputGrad, &y, &kernel),
            (ConvKind::FilterGrad, &x, &y),
        ];
        for (kind, a, b) in ways {
            check(&format!("{kind:?} of {g:?}"), &[a.clone(), b.clone()], |v| {
                let result = v[0].conv(v[1], g, kind);
                result * result
            });
        }
    }
}

#[test]
fn reductions_along_rows_and_down_columns() {
    let shapes = [[3, 5, 7], [2, 700, 3], [1, 3, 1100], [40, 1, 64], [2, 2000, 40]];
    for shape in shapes {
        for axes in [vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2], vec![0, 2]] {
            let what = format!("{shape:?} over {axes:?}");
            check(&format!("sum of {what}"), &[shape.into()], |v| (v[0] * v[0]).sum(&axes));
            check(&format!("largest of {what}"), &[shape.into()], |v| (v[0] * 3.0).max(&axes));
        }
    }
}
