//! The quantized kernel of a dense layer: its variables, and what they stand for.
//!
//! | mode | variables in file order | shapes for a kernel of `rows × columns` |
//! | --- | --- | --- |
//! | int8 | kernel, bias, kernel_scale | the kernel's; as the layer's output wants it |
//! | int4 | kernel, bias, kernel_scale | rows × ⌈columns / 2⌉; columns |
//! | int4 in blocks | …, kernel_zero, g_idx | groups × columns, both; rows |
//! | ternary | kernel, bias, kernel_scale | rows × ⌈columns / 5⌉; none |
//! | gptq | bias, kernel, kernel_scale, kernel_zero, g_idx | columns × rows, with 4 bits ⌈columns / 2⌉ × rows; columns × groups, both; rows |
//! | awq | bias, kernel, kernel_scale, kernel_zero, awq_scales, g_idx | as gptq with 4 bits; rows |

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::{Context, LayerBase};
use crate::quantizers::{
    Groups, Mode, dequantize_groups, group_index, unpack_int4, unpack_ternary,
};
use crate::tensor::Variable;

/// A kernel as a dense layer uses it, and the matrix as which it is quantized.
pub struct KernelShape {
    /// Shape of the kernel as the layer knows it.
    pub kernel: Vec<usize>,
    /// Rows of the matrix: inputs of a unit.
    pub rows: usize,
    /// Columns of the matrix: units.
    pub columns: usize,
    /// The shape of an int8 kernel's scale.
    pub scale: Vec<usize>,
}

/// A byte of five ternary zeros: 1 + 3 + 9 + 27 + 81.
const FIVE_ZEROS: Initializer = Initializer::Constant(121.0);

/// The variables of a quantized kernel.
pub struct QuantizedKernel {
    mode: Mode,
    shape: KernelShape,
    numbers: Variable,
    scale: Variable,
    groups: Option<Groups>,
    awq_scales: Option<Variable>,
}

impl QuantizedKernel {
    /// Makes the variables.
    ///
    /// # Errors
    /// If a shape is too large, or for `float8`, which keeps the kernel as it is.
    pub fn build(base: &mut LayerBase, mode: Mode, shape: KernelShape) -> Result<QuantizedKernel> {
        let KernelShape { rows, columns, .. } = shape;
        let half = columns.div_ceil(2);
        let group = match mode {
            Mode::Int8 | Mode::Ternary | Mode::Float8 { .. } => None,
            Mode::Int4 { block } => block,
            Mode::Gptq { group, .. } | Mode::Awq { group } => group,
        };
        let count = group.map_or(1, |group| rows.div_ceil(group as usize));
        let (numbers, dtype, scale) = match mode {
            Mode::Float8 { .. } => {
                return Err(Error::Internal("float8 has no quantized kernel".into()));
            }
            Mode::Int8 => (shape.kernel.clone(), DType::Int8, shape.scale.clone()),
            Mode::Ternary => (vec![rows, columns.div_ceil(5)], DType::UInt8, Vec::new()),
            Mode::Int4 { block: None } => (vec![rows, half], DType::Int8, vec![columns]),
            Mode::Int4 { .. } => (vec![rows, half], DType::Int8, vec![count, columns]),
            Mode::Gptq { bits: 4, .. } | Mode::Awq { .. } => {
                (vec![half, rows], DType::UInt8, vec![columns, count])
            }
            Mode::Gptq { .. } => (vec![columns, rows], DType::UInt8, vec![columns, count]),
        };
        let zeros = match mode {
            Mode::Ternary => &FIVE_ZEROS,
            _ => &Initializer::ZEROS,
        };
        let numbers = base.add_frozen("kernel", Spec::new(numbers, dtype), zeros)?;
        let kept = base.policy.variable;
        let scale_spec = Spec::new(scale.clone(), kept);
        let scale_variable = base.add_frozen("kernel_scale", scale_spec, &Initializer::ONES)?;
        let has_groups = !matches!(mode, Mode::Int8 | Mode::Ternary | Mode::Int4 { block: None });
        let mut zero = None;
        if has_groups {
            let spec = Spec::new(scale, dtype);
            zero = Some(base.add_frozen("kernel_zero", spec, &Initializer::ZEROS)?);
        }
        let mut awq_scales = None;
        if let Mode::Awq { .. } = mode {
            let spec = Spec::new([rows], kept);
            awq_scales = Some(base.add_frozen("awq_scales", spec, &Initializer::ONES)?);
        }
        let groups = match zero {
            Some(zero) => Some(Groups { zero, index: group_index(base, rows, group)? }),
            None => None,
        };
        Ok(QuantizedKernel { mode, shape, numbers, scale: scale_variable, groups, awq_scales })
    }

    /// How the kernel is quantized.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether outputs of products with [`integers`](QuantizedKernel::integers) can be
    /// [`rescaled`](QuantizedKernel::rescaled); otherwise there is only the [`dequantized`] kernel.
    ///
    /// [`dequantized`]: QuantizedKernel::dequantized
    pub fn has_channels(&self) -> bool {
        self.groups.is_none()
    }

    /// The integers of the kernel: in its own shape for int8, as a matrix for the others.
    pub fn integers<'g>(&self, cx: &Context<'g>) -> Value<'g> {
        let numbers = cx.read(&self.numbers);
        match self.mode {
            Mode::Int4 { .. } => unpack_int4(numbers, self.shape.columns, 1),
            Mode::Ternary => unpack_ternary(numbers, self.shape.columns, 1),
            Mode::Gptq { bits: 4, .. } | Mode::Awq { .. } => {
                unpack_int4(numbers, self.shape.columns, 0).transpose(&[1, 0])
            }
            Mode::Gptq { .. } => numbers.transpose(&[1, 0]),
            Mode::Int8 | Mode::Float8 { .. } => numbers,
        }
    }

    /// The scale, in the compute dtype.
    pub fn scale<'g>(&self, cx: &Context<'g>) -> Value<'g> {
        cx.read(&self.scale)
    }

    /// Outputs of a product with the integers, as the floats would have given them.
    pub fn rescaled<'g>(&self, cx: &Context<'g>, y: Value<'g>) -> Value<'g> {
        match self.mode {
            Mode::Ternary => y * self.scale(cx),
            _ => y / self.scale(cx),
        }
    }

    /// The matrix that the integers stand for, in the compute dtype and the kernel's shape; an int8
    /// kernel's scale is aligned with its axes by `align`.
    pub fn dequantized<'g>(
        &self,
        cx: &Context<'g>,
        align: impl FnOnce(Value<'g>) -> Result<Value<'g>>,
    ) -> Result<Value<'g>> {
        let (numbers, scale) = (self.integers(cx), self.scale(cx));
        let matrix = match (&self.groups, self.mode) {
            (None, Mode::Int8) => numbers.cast(cx.compute_dtype()) / align(scale)?,
            (None, _) => self.rescaled(cx, numbers.cast(cx.compute_dtype())),
            (Some(groups), mode) => {
                let (zero, index) = (cx.read(&groups.zero), cx.read(&groups.index));
                let by_input = |v: Value<'g>| match mode {
                    Mode::Int4 { .. } => v,
                    _ => v.transpose(&[1, 0]),
                };
                dequantize_groups(numbers, by_input(scale), by_input(zero), index, 0)
            }
        };
        let matrix = match &self.awq_scales {
            Some(scales) => matrix / cx.read(scales).reshape([self.shape.rows, 1]),
            None => matrix,
        };
        Ok(matrix.cast(cx.compute_dtype()).reshape(Shape::new(self.shape.kernel.clone())))
    }

    /// The variables of a layer with this kernel, in the order of its file.
    pub fn in_file_order(&self, bias: Option<&Variable>) -> Vec<Variable> {
        let kernel_first = matches!(self.mode, Mode::Int8 | Mode::Ternary | Mode::Int4 { .. });
        let (first, second) =
            if kernel_first { (Some(&self.numbers), bias) } else { (bias, Some(&self.numbers)) };
        let zero = self.groups.as_ref().map(|groups| &groups.zero);
        let index = self.groups.as_ref().map(|groups| &groups.index);
        let all = [first, second, Some(&self.scale), zero, self.awq_scales.as_ref(), index];
        all.into_iter().flatten().cloned().collect()
    }
}
