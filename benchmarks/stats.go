package main

import (
	"math"
	"slices"
)

// A summary is the median of some values, and between which of them the median
// of all that could be measured lies.
type summary struct {
	median, low, high float64
	confidence        float64 // of the interval, 0 to 1
}

// wanted is the confidence that an interval has where there are values enough.
const wanted = 0.95

// summarize returns the median and its order-statistic interval: each value is
// below the true median with a chance of one half, so the k-th smallest and
// the k-th largest enclose it unless fewer than k of the values fell on one
// side, which is a sum of binomials. Nothing is assumed of how values are
// distributed. k is the largest that keeps 95 %; with fewer than six values
// even the smallest and the largest do not reach that.
func summarize(values []float64) summary {
	n := len(values)
	if n == 0 {
		return summary{median: math.NaN(), low: math.NaN(), high: math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	k := 1
	for k+1 <= n/2 && coverage(n, k+1) >= wanted {
		k++
	}
	return summary{median: median(sorted), low: sorted[k-1], high: sorted[n-k], confidence: coverage(n, k)}
}

// median returns that of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// coverage returns the chance that the median lies between the k-th smallest
// and the k-th largest of n values: 1 − 2·P(fewer than k of n heads).
func coverage(n, k int) float64 {
	tail, term := 0.0, math.Pow(0.5, float64(n)) // term: exactly i heads
	for i := range k {
		tail += term
		term *= float64(n-i) / float64(i+1)
	}
	return max(0, 1-2*tail)
}

// column returns one figure of each sample.
func column[T any](samples []T, figure func(T) float64) []float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, figure(s))
	}
	return values
}
