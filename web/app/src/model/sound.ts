// Two soft tones, made here: nothing to fetch.

let context: AudioContext | undefined;
let last = -Infinity;

export function playSound(): void {
  // many messages at once are one sound
  if (performance.now() - last < 1500) return;
  last = performance.now();
  try {
    context ??= new AudioContext();
    if (context.state === 'suspended') void context.resume().catch(() => {});
    tone(context, 660, 0);
    tone(context, 880, 0.09);
  } catch {
    // no sound device
  }
}

function tone(audio: AudioContext, pitch: number, after: number): void {
  const start = audio.currentTime + after;
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.frequency.value = pitch;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(0.06, start + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.25);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(start);
  oscillator.stop(start + 0.26);
}
