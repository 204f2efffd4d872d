//! `keras.layers.ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D` and their cell: an LSTM whose products are
//! convolutions (Shi et al. 2015). That of the inputs has the layer's strides, padding and dilation; that
//! of the state keeps its extents.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | (kernel_size…, channels, 4 · filters) | always |
//! | 1 recurrent_kernel | (kernel_size…, filters, 4 · filters) | always |
//! | 2 bias | (4 · filters) | use_bias |
//!
//! Input (batch, steps, space…, channels) → output (batch, space…, filters), or with `return_sequences`
//! (batch, steps, space…, filters); with `channels_first` the channel axis is the first of a step.

use super::builders::{cell_builder, recurrent_builder};
use super::cell::{Cell, States, cell_base, gates, state_list, take_states, zeros};
use super::dropout::{Dropout, DropoutMasks, by_gates};
use super::forget_bias::forget_bias;
use super::recurrence::recurrent_layer;
use crate::activations::Activation;
use crate::base::{Error, Result, Shape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::spatial::{DataFormat, Padding, Window};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

cell_builder! {
    /// One step of a convolutional LSTM, of as many axes as `kernel_size` has.
    ConvLSTMCell(filters, kernel_size) {
        strides: 1,
        padding: "valid",
        data_format: null,
        dilation_rate: 1,
        activation: "tanh",
        recurrent_activation: "sigmoid",
        unit_forget_bias: true,
    }
}

macro_rules! conv_lstm {
    ($($(#[$doc:meta])* $name:ident $rank:literal)*) => { $(
        recurrent_builder! {
            $(#[$doc])*
            $name(filters, kernel_size) {
                strides: 1,
                padding: "valid",
                data_format: null,
                dilation_rate: 1,
                activation: "tanh",
                recurrent_activation: "sigmoid",
                unit_forget_bias: true,
            }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let cell = ConvCell::new($rank, Some("conv_lstm_cell"), config)?;
                recurrent_layer(stringify!($name), config, Box::new(cell), Some($rank + 3))
            }
        }
    )* };
}

conv_lstm! {
    /// A convolutional LSTM over one spatial axis.
    ConvLSTM1D 1
    /// A convolutional LSTM over two spatial axes.
    ConvLSTM2D 2
    /// A convolutional LSTM over three spatial axes.
    ConvLSTM3D 3
}

struct ConvCell {
    base: LayerBase,
    filters: usize,
    input_window: Window,
    state_window: Window,
    format: DataFormat,
    activation: Activation,
    recurrent_activation: Activation,
    use_bias: bool,
    unit_forget_bias: bool,
    dropout: Dropout,
    kernel_initializer: Initializer,
    recurrent_initializer: Initializer,
    bias_initializer: Initializer,
    kernel: Option<Variable>,
    recurrent_kernel: Option<Variable>,
    bias: Option<Variable>,
}

impl ConvLSTMCell {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // Keras's `get_config` leaves the rank out; the window says it.
        let rank = match (config.get("rank"), config.get("kernel_size")) {
            (Json::Null, Json::Array(sizes)) => sizes.len(),
            _ => config.size("rank")?,
        };
        if !(1..=3).contains(&rank) {
            return Err(config.bad("kernel_size", "one to three integers"));
        }
        Ok(Box::new(ConvCell::new(rank, None, config)?))
    }
}

impl ConvCell {
    fn new(rank: usize, name: Option<&str>, config: &Config) -> Result<ConvCell> {
        let mut base = LayerBase::of_part("ConvLSTMCell", name, config)?;
        // Keras hands the flag of the layer around it to the cells of other layers, not to this one.
        base.trainable |= name.is_some();
        let size = config.sizes("kernel_size", rank)?;
        let stride = config.sizes("strides", rank)?;
        let dilation = config.sizes("dilation_rate", rank)?;
        if stride.iter().any(|&n| n > 1) && dilation.iter().any(|&n| n > 1) {
            return Err(config.bad("dilation_rate", "1 where strides are larger than 1"));
        }
        let ones = vec![1; rank];
        let padding = Padding::from_config(config, false)?;
        Ok(ConvCell {
            base,
            filters: config.size("filters")?,
            input_window: Window::new(rank, [&size, &stride, &dilation], padding),
            state_window: Window::new(rank, [&size, &ones, &ones], Padding::Same),
            format: DataFormat::from_config(config)?,
            activation: Activation::from_config(config, "activation")?,
            recurrent_activation: Activation::from_config(config, "recurrent_activation")?,
            use_bias: config.bool("use_bias")?,
            unit_forget_bias: config.bool("unit_forget_bias")?,
            dropout: Dropout::from_config(config)?,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            recurrent_initializer: Initializer::from_config(config, "recurrent_initializer")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            kernel: None,
            recurrent_kernel: None,
            bias: None,
        })
    }

    /// The filters of a kernel that belong to a gate.
    fn filters_of<'g>(&self, kernel: Value<'g>, gate: Option<usize>) -> Value<'g> {
        let axis = kernel.rank().saturating_sub(1);
        gate.map_or(kernel, |gate| kernel.narrow(axis, gate * self.filters, self.filters))
    }

    fn kernel_shape(&self, channels: usize) -> Shape {
        let gates = self.filters.saturating_mul(4);
        self.input_window.sizes().iter().copied().chain([channels, gates]).collect()
    }
}

impl Layer for ConvCell {
    cell_base!(base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let input = inputs.input_shape()?;
        if input.0.iter().skip(1).any(Option::is_none) {
            let expected = "known extents of space and channels";
            return Err(Error::shape("build", format!("one step of shape {input}"), expected));
        }
        let shape = self.kernel_shape(input.known(self.format.channel_axis())?);
        let kernel = self.base.add_weight("kernel", shape, &self.kernel_initializer)?;
        let (shape, initializer) = (self.kernel_shape(self.filters), &self.recurrent_initializer);
        let recurrent = self.base.add_weight("recurrent_kernel", shape, initializer)?;
        (self.kernel, self.recurrent_kernel) = (Some(kernel), Some(recurrent));
        if self.use_bias {
            let dtype = self.base.policy.variable;
            let initial = match self.unit_forget_bias {
                true => forget_bias(&self.bias_initializer, self.filters, dtype)?,
                false => {
                    self.bias_initializer.source([self.filters.saturating_mul(4)].into(), dtype)?
                }
            };
            self.bias = Some(self.base.add_weight_from("bias", initial)?);
        }
        Ok(())
    }
}

impl Cell for ConvCell {
    /// The channels: the other extents follow from the inputs.
    fn state_size(&self) -> Vec<usize> {
        vec![self.filters; 2]
    }

    fn initial_state<'g>(&self, cx: &Context<'g>, input: &Shape) -> Result<States<'g>> {
        let projected = self.project(cx, zeros(cx, input.clone()), &DropoutMasks::default())?;
        let gate = self.format.to_last(projected);
        let shape = gate.shape().with(gate.rank().saturating_sub(1), self.filters);
        let state = self.format.restore(zeros(cx, shape));
        Ok(state_list([state; 2]))
    }

    fn masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        states: &States<'g>,
    ) -> Result<DropoutMasks<'g>> {
        let [h, _] = take_states(states)?;
        self.dropout.gate_masks(cx, input, &h.shape(), 4)
    }

    fn project<'g>(
        &self,
        cx: &Context<'g>,
        inputs: Value<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        // Steps in front of the batch are further rows.
        let shape = inputs.shape();
        let step = shape.rank().saturating_sub(self.input_window.rank + 1);
        let rows = shape[..step].iter().product();
        let kernel = cx.weight(&self.kernel, "kernel")?;
        let y = by_gates(inputs, &masks.inputs, |x, gate| {
            let flat = x.reshape([&[rows], &shape[step..]].concat());
            self.input_window.conv(self.format.to_last(flat), self.filters_of(kernel, gate))
        })?;
        let y = self.bias.as_ref().map_or(y, |bias| y + cx.read(bias));
        let y = self.format.restore(y);
        let made = y.shape();
        // What failed has no axes; the graph keeps its error.
        Ok(y.reshape([&shape[..step], made.get(1..).unwrap_or(&[])].concat()))
    }

    fn step<'g>(
        &self,
        cx: &Context<'g>,
        input: Value<'g>,
        states: &States<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<(Value<'g>, States<'g>)> {
        let [h, c] = take_states(states)?;
        let kernel = cx.weight(&self.recurrent_kernel, "recurrent_kernel")?;
        let from_state = by_gates(h, &masks.states, |h, gate| {
            self.state_window.conv(self.format.to_last(h), self.filters_of(kernel, gate))
        })?;
        let [i, f, new, o] = gates(self.format.to_last(input) + from_state, self.filters);
        let (gate, activation) = (self.recurrent_activation, self.activation);
        let c = gate.apply(f) * self.format.to_last(c) + gate.apply(i) * activation.apply(new);
        let h = gate.apply(o) * activation.apply(c);
        let [h, c] = [h, c].map(|state| self.format.restore(state));
        Ok((h, state_list([h, c])))
    }
}
