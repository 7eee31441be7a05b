// Loaded before an edge: at SIGUSR2 its process meets an error that nobody catches, at SIGQUIT a rejection.
process.on('SIGUSR2', () => {
  setImmediate(() => {
    throw new Error('thrown where nobody catches')
  })
})
process.on('SIGQUIT', () => {
  void Promise.reject(new Error('rejected where nobody listens'))
})
