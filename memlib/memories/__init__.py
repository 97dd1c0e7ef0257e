"""The memories, one mechanism a file: each reads as its formula. Their quick forms
stand in `memlib.fast`.
"""
