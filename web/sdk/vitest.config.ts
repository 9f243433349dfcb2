import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // each file with a server of its own; two at a time are enough
    maxWorkers: 2,
    teardownTimeout: 20_000,
  },
});
