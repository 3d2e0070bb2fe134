package natlab_test

import (
	"fmt"

	"github.com/plainrtc/plainrtc/internal/lab/natlab"
)

func Example() {
	from, _ := natlab.Named("port-restricted")
	to, _ := natlab.Named("symmetric")
	r, err := natlab.Connect(natlab.Experiment{From: from, To: to, Seed: 1})
	if err != nil {
		panic(err)
	}
	_, direct := natlab.Direct(from, to)
	fmt.Println("connected:", r.OK)
	fmt.Println("relayed:", r.Relayed)
	fmt.Println("theory has a direct path:", direct)
	// Output:
	// connected: true
	// relayed: true
	// theory has a direct path: false
}
