package stun

import "testing"

// What browsers send to each other on one machine, as captured. The password
// of Firefox's run is known, those of Chromium's are not.
var captured = []struct {
	name, hex, text, password string
}{{
	name: "Chromium 156: the first check",
	hex: `0001004c2112a4426c4b6c746d33565030337364000600096475754e3a7a635134000000c05700040001000080290008d23d5a7fb20b0647
		002400046e7e1eff00080014e0e56efbbf0af8691c861588a1368707b0460b5c802800044b7233fd`,
	text: `Binding request USERNAME="duuN:zcQ4" GOOG-NETWORK-INFO=00010000 ICE-CONTROLLED=d23d5a7fb20b0647 PRIORITY=1853759231 ` +
		`MESSAGE-INTEGRITY FINGERPRINT`,
}, {
	name: "Chromium 156: its answer",
	hex: `0101002c2112a4426c4b6c746d335650303373640020000800018e79e112a640000800141500b784b5666b5314bda0be5d92c038deccc48b
		80280004a5115621`,
	text: `Binding success response XOR-MAPPED-ADDRESS=192.0.2.2:44907 MESSAGE-INTEGRITY FINGERPRINT`,
}, {
	name: "Chromium 156: a nominating check",
	hex: `000100502112a442666658644162494968744377000600097a6351343a6475754e000000c057000400010000802a00081993a65d1779c58b
		00250000002400046e7e1eff00080014e7d0c64153885ea27e8c05fb70bfd1f63dff071780280004d5565ada`,
	text: `Binding request USERNAME="zcQ4:duuN" GOOG-NETWORK-INFO=00010000 ICE-CONTROLLING=1993a65d1779c58b USE-CANDIDATE ` +
		`PRIORITY=1853759231 MESSAGE-INTEGRITY FINGERPRINT`,
}, {
	name: "Chromium 156: DTLS inside STUN, acknowledged",
	hex: `000100582112a442382f69642b4e573869584937000600096631504f3a554c716a000000c057000400010000802a00089a07509621ec9b14
		00250000002400046e7e1effc0710004d4b39a6900080014635aeb2e1ada1ad0467af93ca050a3837f50773b8028000407b4ce05`,
	text: `Binding request USERNAME="f1PO:ULqj" GOOG-NETWORK-INFO=00010000 ICE-CONTROLLING=9a07509621ec9b14 USE-CANDIDATE ` +
		`PRIORITY=1853759231 0xc071=d4b39a69 MESSAGE-INTEGRITY FINGERPRINT`,
}, {
	name: "Firefox 153: the first check",
	hex: `0001004c2112a44238060d88df9f43783d4e32db0006001134376530626461613a3064393130356565000000002400046e7f00ff80290008
		64d9f088f059dce2000800144e8be8952cf0f47cc9a5041fe34b19ce0c9a6bb680280004166ff7b3`,
	text:     `Binding request USERNAME="47e0bdaa:0d9105ee" PRIORITY=1853817087 ICE-CONTROLLED=64d9f088f059dce2 MESSAGE-INTEGRITY FINGERPRINT`,
	password: "99c7345678b066d256849a4991394a90",
}, {
	name: "Firefox 153: its answer",
	hex: `010100382112a44238060d88df9f43783d4e32db002000140002e063dc12a44238060d88df9f43783d4e32d90008001445221fc91f23c5d2
		027428775b5145e213ea68d580280004e8df2f87`,
	text:     `Binding success response XOR-MAPPED-ADDRESS=[fd00::2]:49521 MESSAGE-INTEGRITY FINGERPRINT`,
	password: "99c7345678b066d256849a4991394a90",
}, {
	name: "Firefox 153: a nominating check",
	hex: `000100502112a44269d22f03401bfab2fbb518ea0006001130643931303565653a343765306264616100000000250000002400046e7f00ff
		802a0008f27087a5b88ff1050008001477d1b1fef1c01dd40f5f4d7b2034409e8f478c6080280004c1c87c9d`,
	text:     `Binding request USERNAME="0d9105ee:47e0bdaa" USE-CANDIDATE PRIORITY=1853817087 ICE-CONTROLLING=f27087a5b88ff105 MESSAGE-INTEGRITY FINGERPRINT`,
	password: "d84331c96913d45a274ea3a499951680",
}}

func TestBrowsers(t *testing.T) {
	ice := func(t AttributeType) bool { return t == AttrPriority || t == AttrUseCandidate }
	for _, c := range captured {
		m := mustParse(t, unhex(t, c.hex))
		if m.String() != c.text {
			t.Errorf("%s reads as\n%v\nbut it is\n%s", c.name, m, c.text)
		}
		if err := m.CheckFingerprint(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.password != "" {
			if err := m.CheckIntegrity(NewKey([]byte(c.password))); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if unknown := m.UnknownRequired(ice); unknown != nil {
			t.Errorf("%s: ICE does not understand %v", c.name, unknown)
		}
	}
}
