package lab_test

import (
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/sctp"
)

// How much a thousandth of loss leaves of 10 Mbit/s.
func Example() {
	for _, control := range []sctp.CongestionControl{sctp.BBR, sctp.NewReno} {
		run := lab.Start(lab.Experiment{
			Path:     lab.Path{Rate: 10e6, RTT: 200 * time.Millisecond, Loss: 0.001},
			Control:  []sctp.CongestionControl{control},
			Duration: time.Minute,
			Seed:     1,
		})
		for run.Step() {
		}
		if err := run.Err(); err != nil {
			panic(err)
		}
		result := run.Result()
		fmt.Println(control, "moves more than half of what it could:", result.Goodput > 5e6)
	}
	// Output:
	// BBR moves more than half of what it could: true
	// NewReno moves more than half of what it could: false
}
