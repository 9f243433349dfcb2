import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // machines that run everything at once are slow, and stand still at times
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // each file with a server of its own; two at a time are enough
    maxWorkers: 2,
    teardownTimeout: 20_000,
  },
});
