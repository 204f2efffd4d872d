// Guarded mathematics: the functions that the tables UNARY and BINARY name.
//
// WGSL's own functions may be off by thousands of units in the last place and may overflow inside
// (`tanh` gives NaN at 100 on one driver). These are polynomials after a reduction of the argument,
// near-minimax in relative error (Lawson's iteration on Chebyshev nodes). The manual's chapter on
// numerics has their largest errors.

#import lib/number
#import lib/float8
#import lib/exponential
#import lib/inverse_erf
#import lib/circular
#import lib/special
