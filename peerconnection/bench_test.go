package peerconnection

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Two peers in one process over loopback. Side by side with Pion they are
// measured under interop/bench.

func benchPair(b *testing.B) (da, dz *DataChannel) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var pcs [2]*PeerConnection
	for i := range pcs {
		pc, err := New(Config{Addresses: loopback})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { pc.Close() })
		pcs[i] = pc
	}
	da, dz, err := connectPair(ctx, pcs[0], pcs[1])
	if err != nil {
		b.Fatal(err)
	}
	return da, dz
}

// connectPair is connect without a testing.T.
func connectPair(ctx context.Context, a, z *PeerConnection) (da, dz *DataChannel, err error) {
	if da, err = a.CreateDataChannel("bench", nil); err != nil {
		return nil, nil, err
	}
	if err = a.SetLocalDescription(SessionDescription{}); err != nil {
		return nil, nil, err
	}
	if err = z.SetRemoteDescription(*a.LocalDescription()); err != nil {
		return nil, nil, err
	}
	if err = z.SetLocalDescription(SessionDescription{}); err != nil {
		return nil, nil, err
	}
	if err = a.SetRemoteDescription(*z.LocalDescription()); err != nil {
		return nil, nil, err
	}
	if dz, err = z.AcceptDataChannel(ctx); err != nil {
		return nil, nil, err
	}
	return da, dz, da.Opened(ctx)
}

func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			da, dz := benchPair(b)
			message, buffer := make([]byte, size), make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			done := make(chan error, 1)
			b.ResetTimer()
			go func() {
				for range b.N {
					if _, _, err := dz.ReadMessageInto(context.Background(), buffer); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			for range b.N {
				if err := da.Send(message); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	da, dz := benchPair(b)
	go func() {
		buffer := make([]byte, 100)
		for {
			n, _, err := dz.ReadMessageInto(context.Background(), buffer)
			if err != nil || dz.Send(buffer[:n]) != nil {
				return
			}
		}
	}()
	message := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if err := da.Send(message); err != nil {
			b.Fatal(err)
		}
		if _, _, err := da.ReadMessageInto(context.Background(), message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetUp(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		a, err := New(Config{Addresses: loopback})
		if err != nil {
			b.Fatal(err)
		}
		z, err := New(Config{Addresses: loopback})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := connectPair(ctx, a, z); err != nil {
			b.Fatal(err)
		}
		a.Close()
		z.Close()
		cancel()
	}
}
