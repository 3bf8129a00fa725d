package analytics

// ChurnBase is the smallest number of open locations for which there is a churn
// rate: below it a single closing moves the rate by more than three percentage
// points.
const ChurnBase = 30

// Churn returns closings within a span as a share of the locations open at its
// beginning. It is above 1 when locations that opened within the span closed
// too. ok is false when fewer than ChurnBase locations were open.
func Churn(open, closed int64) (rate float64, ok bool) {
	if open < ChurnBase {
		return 0, false
	}
	return float64(closed) / float64(open), true
}

// Share returns part/whole, 0 to 1. ok is false when whole is not above 0.
func Share(part, whole int64) (share float64, ok bool) {
	if whole <= 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}
