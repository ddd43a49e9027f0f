package main

import (
	"math"
	"testing"
)

func TestTheMedianHasAnIntervalOfTheValuesThemselves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		values            []float64
		median, low, high float64
		confidence        float64
	}{
		{"one", []float64{3}, 3, 3, 3, 0},
		{"two", []float64{5, 1}, 3, 1, 5, 0.5},
		{"five do not reach it", []float64{5, 1, 4, 2, 3}, 3, 1, 5, 1 - 2.0/32},
		{"seven", []float64{7, 1, 6, 2, 5, 3, 4}, 4, 1, 7, 1 - 2.0/128},
		{"eight keep only the ends", []float64{8, 1, 7, 2, 6, 3, 5, 4}, 4.5, 1, 8, 1 - 2.0/256},
		{"nine leave the ends out", []float64{9, 1, 8, 2, 7, 3, 6, 4, 5}, 5, 2, 8, 1 - 2*10.0/512},
		{"twelve", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 6.5, 3, 10, 1 - 2*79.0/4096},
		{"the same", []float64{2, 2, 2}, 2, 2, 2, 0.75},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := summarize(tc.values)
			if got.median != tc.median || got.low != tc.low || got.high != tc.high {
				t.Errorf("got %v from %v to %v, want %v from %v to %v", got.median, got.low, got.high, tc.median, tc.low, tc.high)
			}
			if math.Abs(got.confidence-tc.confidence) > 1e-12 {
				t.Errorf("confidence %v, want %v", got.confidence, tc.confidence)
			}
		})
	}
}

func TestSummarizingChangesNothingAndNothingIsNoNumber(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2}
	summarize(values)
	if values[0] != 3 || values[1] != 1 || values[2] != 2 {
		t.Errorf("the values became %v", values)
	}
	if s := summarize(nil); !math.IsNaN(s.median) || !math.IsNaN(s.low) || !math.IsNaN(s.high) {
		t.Errorf("the summary of nothing is %+v", s)
	}
}

// TestIntervalsHoldTheMedianAsOftenAsTheySay enumerates on which side of the
// true median each of n values falls: all 2^n ways are equally likely.
func TestIntervalsHoldTheMedianAsOftenAsTheySay(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 12; n++ {
		values := make([]float64, n)
		held := 0
		var s summary
		for way := range 1 << n {
			for i := range values {
				values[i] = float64(i + 1) // above
				if way&(1<<i) != 0 {
					values[i] = -values[i] // below
				}
			}
			s = summarize(values)
			if s.low < 0 && s.high > 0 {
				held++
			}
		}
		if got := float64(held) / float64(int(1)<<n); math.Abs(got-s.confidence) > 1e-12 {
			t.Errorf("%d values: the interval holds the median in %v of all ways, and says %v", n, got, s.confidence)
		}
		if n >= 6 && s.confidence < wanted {
			t.Errorf("%d values: confidence %v, want at least %v", n, s.confidence, wanted)
		}
	}
}
