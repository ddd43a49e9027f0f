package rocketmq

import "time"

// longestDelay is timerMaxDelaySec of a broker, less what due adds.
const longestDelay = 72*time.Hour - 2*time.Second

// due is when a broker has to deliver so that it is not before t: it counts in
// whole seconds, and takes one off those that are whole.
func due(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second).Add(time.Second) }
