#!/bin/bash
# A Llama 3.1 8B on four nodes, as Megatron-LM is started.
export CUDA_DEVICE_MAX_CONNECTIONS=1
GPUS_PER_NODE=8
NUM_NODES=4
WORLD_SIZE=$(($GPUS_PER_NODE*$NUM_NODES))
TP=${TP:-2}
CHECKPOINT_PATH=$1

DISTRIBUTED_ARGS=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES
    --master_addr $MASTER_ADDR
)

MODEL_ARGS=(
    --num-layers 32
    --hidden-size 4096
    --ffn-hidden-size 14336
    --num-attention-heads 32
    --group-query-attention
    --num-query-groups 8
    --kv-channels 128
    --swiglu                       # gated
    --normalization RMSNorm
    --position-embedding-type rope
    --disable-bias-linear
    --untie-embeddings-and-output-weights
    --vocab-size 128256
    --make-vocab-size-divisible-by 128
    --max-position-embeddings 8192
    --hidden-dropout 0.0
    --attention-dropout 0.0
)
PARALLEL_ARGS="--tensor-model-parallel-size $TP --pipeline-model-parallel-size 2 \
    --num-layers-per-virtual-pipeline-stage 4 --sequence-parallel --use-distributed-optimizer"

torchrun ${DISTRIBUTED_ARGS[@]} pretrain_gpt.py "${MODEL_ARGS[@]}" $PARALLEL_ARGS \
    --micro-batch-size 1 \
    --global-batch-size=128 --seq-length 8192 --bf16 \
    --recompute-granularity selective --recompute-modules core_attn layernorm \
    --lr 3.0e-4 --lr-decay-style cosine --train-iters 1000 --save "$CHECKPOINT_PATH" \
    --cross-entropy-loss-fusion --frobnicate 3 2>&1 | tee log.txt
