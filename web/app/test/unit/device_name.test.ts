import { expect, it, vi } from 'vitest';

vi.mock('../../src/model/chat.ts', () => ({ chat: { call: () => {}, on: () => {} } }));

const { deviceName } = await import('../../src/model/device_name.ts');

it('a device is called after its browser and its system', () => {
  expect(deviceName('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux');
  expect(deviceName('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile/15E148 Safari/604.1')).toBe('Safari on iPhone');
  expect(deviceName('Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36')).toBe('Chrome on Android');
  expect(deviceName('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0')).toBe('Edge on Windows');
  expect(deviceName('curl')).toBe('Browser');
});
