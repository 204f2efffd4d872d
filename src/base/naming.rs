//! Keras's automatic names.

/// The automatic name of an object of a class: `Conv2D` gives `conv2d`, `PReLU` gives `p_re_lu`,
/// `MyHTTPLayer2` gives `my_http_layer2`.
///
/// An underscore goes between any character and a capital that a lower-case letter follows, and
/// between a lower-case letter and a capital.
pub fn snake_case(class_name: &str) -> String {
    let word: Vec<char> = class_name.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut out = String::new();
    for (i, &c) in word.iter().enumerate() {
        let before = i.checked_sub(1).map(|p| word[p]);
        let starts_word = word.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let after_lower = before.is_some_and(|b| b.is_ascii_lowercase());
        if c.is_ascii_uppercase() && before.is_some() && (starts_word || after_lower) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_those_keras_gives() {
        for (class, name) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("Conv1DTranspose", "conv1d_transpose"),
            ("SimpleRNN", "simple_rnn"),
            ("LSTM", "lstm"),
            ("ConvLSTM2D", "conv_lstm2d"),
            ("PReLU", "p_re_lu"),
            ("ReLU", "re_lu"),
            ("ELU", "elu"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("TFSMLayer", "tfsm_layer"),
            ("STFTSpectrogram", "stft_spectrogram"),
            ("RMSNormalization", "rms_normalization"),
            ("ZeroPadding2D", "zero_padding2d"),
            ("MyHTTPLayer2", "my_http_layer2"),
        ] {
            assert_eq!(super::snake_case(class), name);
        }
    }
}
