module github.com/plainrtc/plainrtc/interop

go 1.26

replace github.com/plainrtc/plainrtc => ../

// The module proxy that our CI uses refuses v5.1.4, which Pion's go.mod asks for.
replace github.com/pion/transport/v5 => github.com/pion/transport/v5 v5.0.0

require golang.org/x/sys v0.41.0
